"""Taps that change between two passes: bits are those of a session that was opened with them."""

from dataclasses import replace

import numpy as np
import pytest

from host.compiler.program import Program
from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY
from host.pipeline.placement import host_steps, place
from host.pipeline.site import Point
from host.pipeline.sparsity.teal import Teal
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.pipeline.steering.lqr import LQR
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.errors import OptionError
from models.golden.model import GoldenModel
from models.machine.build import CPU
from models.machine.descriptor import LoadTarget, Opcode
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.compiler.listing import listed

CONFIG = FAMILIES["relu2 grouped heads"]
IDS = [3, 5, 8, 13, 21, 34, 55]


@pytest.fixture(scope="module")
def model():
    return synthetic_model(CONFIG, seed=1)


@pytest.fixture(scope="module")
def stages():
    random = np.random.default_rng(2)
    return [Teal({"thresholds": random.uniform(0.2, 0.6, (CONFIG.layers, 4))}),
            DifferenceOfMeans({"vectors": random.standard_normal((CONFIG.layers, CONFIG.hidden_size))})]


@pytest.fixture(scope="module")
def loops():
    directions = np.random.default_rng(3).standard_normal((CONFIG.layers, CONFIG.hidden_size)) / 10
    return [LQR({"directions": directions, "gains": directions / 2, "centres": directions,
                 "setpoints": np.full((CONFIG.layers, 1), 0.1), "short": np.ones(1)})]


def taps_at(stages, model, strength):
    return place([stage.with_strength(strength) for stage in stages], model).taps


@pytest.mark.parametrize("build", [CPU, BUILDS["sim-tiny"]], ids=lambda build: build.name)
@pytest.mark.parametrize("kernels", ["auto", NUMPY])
def test_a_changed_strength_is_that_of_a_new_session(model, stages, build, kernels):
    """0.999 keeps the exponents, 7 does not, 0 takes all taps away; the first pass' lists are kept by then."""
    session = Session(model, EmulatorDevice(build, kernels=kernels), taps=taps_at(stages, model, 1))
    first = session.score(IDS)
    found = []
    for strength in (0.999, 7, 0, 7, 1):
        taps = taps_at(stages, model, strength)
        session.set_taps(taps)
        session.reset()
        found.append(session.score(IDS))
        alone = Session(model, EmulatorDevice(build, kernels=kernels), taps=taps)
        assert (found[-1] == alone.score(IDS)).all(), strength
    assert (found[-1] == first).all() and len({logits.tobytes() for logits in found}) == 4


def test_a_tap_without_clip_and_threshold_loads_half_as_much(model, stages, loops):
    def loads(*of):
        program = Program(model, CPU, rows=1, taps=taps_at(of, model, 1))
        return {(LoadTarget(d.target), d.bytes) for d in listed(program, "decode", 1)
                if d.opcode == Opcode.LOAD and d.target in (LoadTarget.TAP, LoadTarget.AFFINE)}

    masks, vectors = stages
    affine = (LoadTarget.AFFINE, 4 * CONFIG.hidden_size)
    assert loads(*loops) == loads(vectors) == {affine}
    assert {target for target, _ in loads(masks)} == {LoadTarget.TAP} and affine in loads(masks, vectors)


@pytest.mark.parametrize("kernels", ["auto", NUMPY])
def test_a_changed_setpoint_is_the_golden_model_s(model, loops, kernels):
    """The lists of a pass hold it, so they are made anew; 0 changes no bit."""
    session, found = Session(model, EmulatorDevice(CPU, kernels=kernels), taps=taps_at(loops, model, 0)), []
    for strength in (0, 1, 1.25, -1, 0):
        taps = taps_at(loops, model, strength)
        assert len(taps) == CONFIG.layers
        session.set_taps(taps)
        session.reset()
        found.append(session.score(IDS))
        golden = GoldenModel(model, taps=taps)
        assert (found[-1] == [golden.step(token) for token in IDS]).all(), strength
    session.set_taps({})
    session.reset()
    plain = Session(model, EmulatorDevice(CPU)).score(IDS)
    assert (found[0] == plain).all() and (found[-1] == plain).all() and (session.score(IDS) == plain).all()
    assert len({logits.tobytes() for logits in found}) == 4


@pytest.mark.parametrize("where", ["auto", "cpu"])
def test_a_session_opened_at_strength_0_is_raised_later(model, stages, where):
    """And one without any step of the host gets some."""
    plain, raised = (place([stage.with_strength(strength) for stage in stages], model, where) for strength in (0, 1))
    session = Session(model, EmulatorDevice(CPU), taps=plain.taps, host_steps=host_steps(plain, model))
    assert (session.score(IDS) == Session(model, EmulatorDevice(CPU)).score(IDS)).all()
    session.set_taps(raised.taps)
    session.set_host_steps(host_steps(raised, model))
    session.reset()
    expected = Session(model, EmulatorDevice(CPU), taps=raised.taps, host_steps=host_steps(raised, model)).score(IDS)
    assert (session.score(IDS) == expected).all()
    other = Session(model, EmulatorDevice(CPU), taps=plain.taps)
    other.set_taps(raised.taps)
    other.set_host_steps(host_steps(raised, model))
    assert (other.score(IDS) == expected).all()


def test_it_changes_between_two_tokens(model, stages):
    """What is in the cache stays as it was made."""
    one, other = taps_at(stages, model, 1), taps_at(stages, model, 7)
    session = Session(model, EmulatorDevice(CPU), taps=one)
    session.feed(IDS[:3])
    session.set_taps(other)
    found = session.score(IDS[3:])
    caches = [Session(model, EmulatorDevice(CPU), taps=taps) for taps in (one, other)]
    for changed in caches:
        changed.score(IDS)
    for name, rows in session.cache(1).items():
        kept, _ = (changed.cache(1)[name] for changed in caches)
        assert (rows[:, :3] == kept[:, :3]).all() and (rows[:, 3:] != kept[:, 3:]).any()
    assert found.shape[0] == 4


def test_kept_lists_stay_where_exponents_do(model, stages):
    session = Session(model, EmulatorDevice(CPU), taps=taps_at(stages, model, 1))
    session.feed(IDS)
    kept = dict(session.program._lists)
    session.set_taps(taps_at(stages, model, 0.999))
    assert session.program._lists.keys() == kept.keys() != set()
    session.set_taps(taps_at(stages, model, 7))
    assert not session.program._lists
    session.feed(IDS)
    session.set_taps({})  # without thresholds they load half as much
    assert not session.program._lists


def test_a_point_without_a_tap_is_refused(model, stages):
    session = Session(model, EmulatorDevice(CPU), taps=taps_at(stages[1:], model, 1))
    with pytest.raises(OptionError, match="no tap was laid out at layer 0, qkv: open a session with one"):
        session.set_taps(taps_at(stages, model, 1))
    tap = replace(session.program.taps[Point(0, "residual")], add_exponent=3)
    session.set_taps({Point(0, "residual"): tap})
    assert session.program.taps[Point(0, "residual")] is tap
