"""SeeDNorm as a stage: RMSNorm's bits without beta, every device's bits with it, and what is refused."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY, native_paths
from host.pipeline.artefact import save_artefact
from host.pipeline.host_steps import HostSteps
from host.pipeline.loading import load_stages
from host.pipeline.normalisation.rmsnorm import RMSNorm
from host.pipeline.normalisation.seednorm import SeeDNorm
from host.pipeline.placement import host_steps, place
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.teal import Teal
from host.runtime import Session
from models.dequantise import float_model
from models.errors import ArtefactError, ModelError, OptionError
from models.float_twin import run_float
from models.golden.model import GoldenModel
from models.golden.scalar import Scalar, to_float
from models.machine.build import CPU
from models.model_hash import model_hash
from models.synth import synthetic_model
from tests.families import FAMILIES

IDS = [5, 7, 2, 30]


def tensors_of(config, heads=4, *, alpha=1.0, beta=0.3):
    rng = np.random.default_rng(3)
    size = config.layers, 2, config.hidden_size
    return {"alpha": alpha * rng.standard_normal(size), "beta": beta * rng.standard_normal(size),
            "heads": np.array([float(heads)])}


def session_with(model, stages, device=None):
    placement = place(stages, model)
    return Session(model, device or EmulatorDevice(CPU), taps=placement.taps, host_steps=host_steps(placement, model))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("nothing", ["alpha", "beta"])
def test_without_beta_it_is_the_fabrics_norm(family, nothing):
    config = FAMILIES[family]
    model = synthetic_model(config, seed=1)
    stage = SeeDNorm(tensors_of(config, 2, **{nothing: 0.0}))
    rng = np.random.default_rng(1)
    for layer, site in np.ndindex(config.layers, 2):
        point = Point(layer, stage.sites[site])
        x = rng.integers(-2**31, 2**31, (6, config.hidden_size)) >> np.arange(0, 30, 5)[:, None]
        unit = Scalar(np.full(6, 1 << 23), np.full(6, -model.residual_fraction_bits))
        gains = model.layers[layer].gains[("input", "post_attention")[site]]
        found, wanted = (norm.normalise(point, x, unit, gains, model) for norm in (stage, RMSNorm()))
        assert (found[0] == wanted[0]).all() and (found[1].m == wanted[1].m).all() and (found[1].e == wanted[1].e).all()
    expected = Session(model, EmulatorDevice(CPU)).score(IDS)
    assert (session_with(model, [stage]).score(IDS) == expected).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_device_has_the_golden_models_bits(family):
    config = FAMILIES[family]
    model = synthetic_model(config, seed=1)
    stages = [SeeDNorm(tensors_of(config)), Teal({"thresholds": np.full((config.layers, 4), 0.3)})]
    placement = place(stages, model)
    steps = host_steps(placement, model)
    golden = GoldenModel(model, taps=placement.taps, stages=steps.acting.stages, norms=steps.acting.norms)
    expected = np.stack([golden.step(token) for token in IDS])
    for path in [*native_paths(), NUMPY]:
        assert (session_with(model, stages, EmulatorDevice(CPU, kernels=path)).score(IDS) == expected).all(), path
    assert (session_with(model, stages[1:]).score(IDS) != expected).any()


def test_it_follows_its_definition_and_strength_scales_alpha():
    config = FAMILIES["relu2 grouped heads"]
    model, tensors = synthetic_model(config, seed=1), tensors_of(config)
    x, point = np.random.default_rng(1).integers(-2**22, 2**22, (5, 96)), Point(1, Site.FFN_NORM)
    unit, gains = Scalar(np.full(5, 1 << 23), np.full(5, -20)), model.layers[1].gains["post_attention"]
    for strength in (1.0, -0.5):
        v, y_unit = SeeDNorm(tensors, strength).normalise(point, x, unit, gains, model)
        h = x * to_float(unit)[:, None]
        turns = np.tanh((h * tensors["beta"][1, 1]).reshape(5, 4, 24).sum(axis=-1)).repeat(24, axis=1)
        wanted = (strength * turns * tensors["alpha"][1, 1] + gains[0] / 2.0**gains[1]) * h / np.sqrt(
            (h**2).mean(axis=1, keepdims=True) + config.rms_eps)
        assert np.allclose(v * to_float(y_unit)[:, None], wanted, atol=3e-4 * np.abs(wanted).max())


def test_a_model_that_was_trained_with_it_runs_with_it_alone():
    config = FAMILIES["relu2 grouped heads"]
    model = synthetic_model(config, seed=1)
    model.config = trained = type(config)(**vars(config) | {"norm": "seednorm"})
    with pytest.raises(ModelError, match="trained with seednorm, and no norm acts at layer 0, attention_norm: give"):
        Session(model, EmulatorDevice(CPU))
    session = session_with(model, [SeeDNorm(tensors_of(trained))])
    with pytest.raises(ModelError, match="no norm acts"):
        session.set_host_steps(HostSteps(model))
    with pytest.raises(ModelError, match="has seednorm, which the float model here does not compute"):
        run_float(float_model(model), np.array(IDS))


@pytest.mark.parametrize("change, message", [
    ({"heads": [0.0]}, "tensor heads: expected a divisor of the 96 channels, found 0"),
    ({"heads": [5.0]}, "tensor heads: expected a divisor of the 96 channels, found 5"),
    ({"heads": [1.5]}, "tensor heads: expected a divisor"),
    ({"alpha": 1e30}, "tensor alpha: expected magnitudes of 0, or 2"),
    ({"beta": 1e-30}, "tensor beta: expected magnitudes of 0, or 2"),
    ({"beta": np.nan}, "tensor beta: expected finite numbers"),
    ({"beta": None}, "tensor beta: is missing"),
    ({"gamma": 1.0}, "tensor gamma: does not belong to normalisation by seednorm"),
    ({"alpha": np.ones((2, 2, 95))}, r"tensor alpha: expected F32 \[2, 2, 96\], found F32 \[2, 2, 95\]"),
    ({"model": "0" * 64}, "was fitted to another model")])
def test_a_wrong_artefact_is_refused(tmp_path, change, message):
    config = FAMILIES["relu2 grouped heads"]
    model, tensors = synthetic_model(config, seed=1), tensors_of(config)
    digest = change.get("model", model_hash(model))
    for name, value in change.items():
        if value is None:
            del tensors[name]
        elif name != "model":
            tensors[name] = np.full((2, 2, 96), value) if np.isscalar(value) else np.array(value)
    path = tmp_path / "artefact"
    save_artefact(path, "normalisation", "seednorm", SeeDNorm.sites, tensors, model=digest, fit={})
    with pytest.raises(ArtefactError, match=message):
        load_stages(model, [str(path)])


def test_there_is_nothing_to_fit_for_another_norm(tmp_path):
    with pytest.raises(OptionError, match="was trained with rmsnorm, not seednorm"):
        SeeDNorm.fit(synthetic_model(FAMILIES["one head"], seed=1), checkpoint=tmp_path)
