"""Steering in a closed loop: what strengths mean, when it acts, its control, and the same bits on every path."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.placement import host_steps, place
from host.pipeline.site import Point, Site
from host.pipeline.steering.contrast import Contrast
from host.pipeline.steering.lqr import LQR, passages_of
from host.runtime import Session
from models.errors import ArtefactError, OptionError
from models.golden.model import GoldenModel
from models.golden.scalar import Scalar, constant
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES

CONFIG = FAMILIES["relu2 grouped heads"]
MODEL = synthetic_model(CONFIG, seed=1)
UNIT = 2.0**-MODEL.residual_fraction_bits


def tensors(**changes):
    random = np.random.default_rng(3)
    directions = random.standard_normal((CONFIG.layers, CONFIG.hidden_size))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    gains = 0.6 * directions + 0.02 * random.standard_normal(directions.shape)
    return {"directions": directions, "gains": gains, "centres": random.standard_normal(directions.shape),
            "setpoints": np.array([[2.0], [3.0]]), "short": np.zeros(1), **changes}


def moved(stage, h, layer=1):
    """Rows of floats, and as the stage leaves them."""
    rows = np.rint(h / UNIT).astype(np.int64)
    one = constant(UNIT)
    unit = Scalar(np.full(len(h), one.m), np.full(len(h), one.e))
    return rows * UNIT, stage.apply(Point(layer, Site.RESIDUAL), rows, unit, MODEL) * UNIT


@pytest.mark.parametrize("strength, gain, beyond", [(1, 1, 1), (-1, 1, -1), (0.25, 0.25, 0.25), (3, 1, 3), (0, 0, 0)])
def test_it_adds_its_gains_times_the_distance_to_the_setpoint(strength, gain, beyond):
    parts = tensors()
    before, after = moved(LQR.load(parts, strength), np.random.default_rng(4).standard_normal((5, CONFIG.hidden_size)))
    v, k, centre = (parts[name][1] for name in ("directions", "gains", "centres"))
    error = v @ centre + 3.0 * beyond - before @ v
    assert np.allclose(after - before, gain * error[:, None] * k, atol=2e-3)
    assert (after != before).any() == bool(strength)


def test_short_of_the_setpoint_it_acts_and_beyond_it_does_not():
    parts = tensors(short=np.ones(1))
    v, centre = parts["directions"][1], parts["centres"][1]
    h = centre + np.array([[0.0], [5.0], [-5.0]]) * v  # the setpoint lies 3 from the centre
    for strength, acting in ((1, [True, False, True]), (-1, [True, True, False])):
        before, after = moved(LQR.load(parts, strength), h)
        assert (before != after).any(axis=1).tolist() == acting


def test_its_control_keeps_norms_angles_and_distances():
    stage = LQR.load(tensors(), 0.5)
    control, again, other = (stage.randomised(seed) for seed in (1, 1, 2))
    assert control.strength == 0.5
    for a, b in (("directions", "directions"), ("directions", "gains"), ("gains", "gains")):
        assert np.allclose(control.tensors[a] @ control.tensors[b].T, stage.tensors[a] @ stage.tensors[b].T)
    assert np.array_equal(control.tensors["gains"], again.tensors["gains"])
    assert np.abs((control.tensors["directions"] * stage.tensors["directions"]).sum(axis=1)).max() < 0.5
    assert not np.allclose(control.tensors["directions"], other.tensors["directions"])


@pytest.mark.parametrize("changes, strength, message", [
    ({"short": np.array([2.0])}, 1, "tensor short: expected 0 or 1, found 2.0"),
    ({}, float("nan"), "its strength must be finite"),
    ({"gains": np.full((2, 96), 1e30)}, 1, "tensor gains: expected magnitudes"),
    ({"directions": np.full((2, 96), 1e-30)}, 1, "tensor directions: expected magnitudes")])
def test_values_that_make_no_sense_are_refused(changes, strength, message):
    with pytest.raises(ArtefactError, match=message):
        LQR.load(tensors(**changes), strength)


def test_it_acts_where_it_has_both_a_direction_and_gains():
    parts = tensors()
    parts["gains"][0] = 0
    assert LQR(parts).points(MODEL) == [Point(1, Site.RESIDUAL)]
    parts["directions"][1] = 0
    assert not LQR(parts).points(MODEL)


@pytest.mark.parametrize("stages, where", [([LQR.load(tensors())], "fabric"), ([LQR.load(tensors())], "cpu"),
                                           ([LQR.load(tensors(short=np.ones(1)), -2.0)], "fabric"),
                                           ([LQR.load(tensors(short=np.ones(1)), -2.0)], "cpu"),
                                           ([LQR.load(tensors()), LQR.load(tensors(), 0.5)], "auto")])
def test_the_device_does_what_the_golden_model_does(stages, where):
    placement = place(stages, MODEL, where)
    assert bool(placement.cpu) == (where != "fabric")
    steps = host_steps(placement, MODEL)
    golden, plain = GoldenModel(MODEL, taps=placement.taps, stages=steps.acting.stages), GoldenModel(MODEL)
    found = Session(MODEL, EmulatorDevice(CPU), taps=placement.taps, host_steps=steps).score([1, 2, 3])
    assert (found == [golden.step(token) for token in (1, 2, 3)]).all()
    assert (found != [plain.step(token) for token in (1, 2, 3)]).any()


def test_what_no_tap_holds_goes_to_the_cpu():
    """Exponents beyond a descriptor's."""
    parts = tensors()
    stage = LQR.load({**parts, "gains": parts["gains"] * 2.0**-40})
    assert not place([stage], MODEL).taps and len(place([stage], MODEL).cpu) == 2


def test_two_act_one_after_the_other():
    one, two = LQR.load(tensors()), LQR.load(tensors(setpoints=np.ones((2, 1))))
    seen = []
    for stages in ([one], [two], [one, two], [two, one]):
        placement = place(stages, MODEL)
        session = Session(MODEL, EmulatorDevice(CPU), taps=placement.taps, host_steps=host_steps(placement, MODEL))
        seen.append(session.score([5, 7]).tobytes())
    assert len(set(seen)) == 4


@pytest.fixture(scope="module")
def contrast():
    pytest.importorskip("torch")
    return Contrast(MODEL, *np.random.default_rng(0).integers(0, CONFIG.vocab_size, (2, 160)).tolist())


def test_it_is_fitted_to_a_contrast(contrast):
    fitted = LQR.fit_contrast(contrast, [1], passages=2).tensors
    assert {name: array.shape for name, array in fitted.items()} == LQR.shapes(CONFIG)
    toward, away = (states.mean(axis=1) for states in contrast.states)
    v = fitted["directions"][1]
    for strength, mean in ((1, toward), (-1, away)):
        beta = v @ fitted["centres"][1] + strength * fitted["setpoints"][1, 0]
        assert beta == pytest.approx(v @ mean[1])
    assert not fitted["directions"][0].any() and not fitted["gains"][0].any()
    assert np.allclose(fitted["gains"][1], v / 11)  # behind the last layer (S + R)^-1 S = 1 / (1 + 10)
    dearer = LQR.fit_contrast(contrast, [0, 1], passages=2, r=1000.0).tensors["gains"]
    cheaper = LQR.fit_contrast(contrast, [0, 1], passages=2, r=0.1).tensors["gains"]
    assert (np.linalg.norm(dearer, axis=1) < np.linalg.norm(cheaper, axis=1)).all()


@pytest.mark.parametrize("own, message", [({"r": 0.0}, "--r must be positive"), ({"q": float("nan")}, "--q must be"),
                                          ({"short": 2}, "--short must be 0 or 1"),
                                          ({"passages": 0}, "--passages must be positive")])
def test_options_that_make_no_sense_are_refused(contrast, own, message):
    with pytest.raises(OptionError, match=message):
        LQR.fit_contrast(contrast, [1], **own)


def test_texts_with_one_mean_are_refused(contrast):
    with pytest.raises(OptionError, match="do not differ at layers"):
        LQR.fit_contrast(Contrast(MODEL, contrast.toward, contrast.toward), [1])


def test_passages_are_of_either_text_in_turn():
    contrast = Contrast(MODEL, list(range(640)), list(range(1000, 1640)))
    assert [ids[0] for ids in passages_of(contrast, 4)] == [0, 1000, 576, 1576]
    assert len(passages_of(contrast, 3)) == 3 and len(passages_of(contrast, 100)) == 20
