"""Stages on the generated Verilog: placed taps, a method of the user's among them, and strengths that change."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.activation.ash import Ash
from host.pipeline.activation.crrelu import CRReLU
from host.pipeline.activation.spark import SparkFunction
from host.pipeline.activation.x_cos import XCos
from host.pipeline.normalisation.seednorm import SeeDNorm
from host.pipeline.placement import host_steps, place
from host.pipeline.resilience.proact import ProAct
from host.pipeline.sparsity.core_infer import CoreInfer
from host.pipeline.sparsity.teal import Teal
from host.pipeline.steering.au_steer import AUSteer
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.pipeline.steering.eigen_shift import DIRECTIONS, EigenShift
from host.pipeline.steering.lin_eas import LinEAS
from host.pipeline.steering.lqr import LQR
from host.pipeline.steering.reasoning import Reasoning
from host.runtime import Session
from models.synth import synthetic_model
from sim.rtl_device import RtlDevice
from tests.families import FAMILIES
from tests.host.pipeline.scaled_down import ScaledDown
from tests.host.pipeline.sparsity.masks import METHODS, fitted
from tests.host.pipeline.steering.test_reasoning import fitted as concepts
from tests.sim.cores import FOUR_SLOTS

CONFIG = FAMILIES["relu2 grouped heads"]


@pytest.fixture(scope="module")
def rtl():
    device = RtlDevice(FOUR_SLOTS)
    device.identify()
    yield device
    device.close()


def test_stages_of_every_kind_and_their_strengths_equal_the_emulator(rtl):
    model, random = synthetic_model(CONFIG, seed=1), np.random.default_rng(2)
    stages = [ScaledDown({"scales": random.uniform(0.5, 2, (CONFIG.layers, CONFIG.ffn_size))}),
              Teal({"thresholds": random.uniform(0.2, 0.6, (CONFIG.layers, 4))}),
              DifferenceOfMeans({"vectors": random.standard_normal((CONFIG.layers, CONFIG.hidden_size))})]

    def taps(strength):
        placement = place([stage.with_strength(strength) for stage in stages], model)
        assert not placement.cpu
        return placement.taps

    session, seen = Session(model, rtl, taps=taps(1)), []
    for strength in (1, 0.999, 3, 0):  # the same exponents, others, none at all
        session.set_taps(taps(strength))
        session.reset()
        simulated = session.score([5, 7])
        emulated = Session(model, EmulatorDevice(FOUR_SLOTS), taps=taps(strength))  # opened with them
        assert (emulated.score([5, 7]) == simulated).all(), strength
        seen.append(simulated.tobytes())
    assert len(set(seen)) == 4
    assert seen[-1] == Session(model, EmulatorDevice(FOUR_SLOTS)).score([5, 7]).tobytes()


def test_the_cpu_gives_the_bits_of_the_tap(rtl):
    """TEAL and difference of means by stops of the simulated core, and by its taps."""
    model, random = synthetic_model(CONFIG, seed=1), np.random.default_rng(3)
    stages = [Teal({"thresholds": random.uniform(0.2, 0.6, (CONFIG.layers, 4))}),
              DifferenceOfMeans({"vectors": random.standard_normal((CONFIG.layers, CONFIG.hidden_size))})]
    found = []
    for device, where in ((EmulatorDevice(FOUR_SLOTS), "fabric"), (EmulatorDevice(FOUR_SLOTS), "cpu"), (rtl, "fabric"),
                          (rtl, "cpu")):
        placement = place(stages, model, where)
        assert bool(placement.cpu) == (where == "cpu")
        session = Session(model, device, taps=placement.taps, host_steps=host_steps(placement, model))
        found.append(session.score([5, 7, 2]))
    assert all((logits == found[0]).all() for logits in found[1:])


def test_steering_methods_have_the_emulators_bits(rtl):
    """A map a channel by the tap and, with gains beyond it, at stops; directions taken out in front of the head."""
    model, random = synthetic_model(CONFIG, seed=1), np.random.default_rng(6)
    scales, shifts = random.standard_normal((2, CONFIG.layers, CONFIG.hidden_size))
    directions = np.zeros((DIRECTIONS, CONFIG.hidden_size))
    directions[:5] = np.linalg.qr(random.standard_normal((CONFIG.hidden_size, 5)))[0].T
    narrow = LinEAS({"scales": 0.3 * scales, "shifts": shifts})
    wide = AUSteer({"scales": 30 * scales, "shifts": 0 * shifts})
    head = EigenShift({"directions": directions}, 0.8)
    for stages, cpu in (([narrow], False), ([narrow, wide, head], True)):
        placement, found = place(stages, model), []
        assert bool(placement.cpu) == cpu
        for device in (EmulatorDevice(FOUR_SLOTS), rtl):
            session = Session(model, device, taps=placement.taps, host_steps=host_steps(placement, model))
            found.append(session.score([5, 7]))
        assert np.array_equal(*found)


def test_masks_have_the_emulators_bits(rtl):
    """Every mask alone, by its tap where it has one and by stops where not, and three at once."""
    family, found = CONFIG.name, []
    model = synthetic_model(CONFIG, seed=1)
    for names in (*((name,) for name in METHODS), ("chess", "wina", "tau-gate"), ("spark", "teal", "random-per-token")):
        placement = place([fitted(name, family) for name in names], model)
        simulated, emulated = (
            Session(model, device, taps=placement.taps, host_steps=host_steps(placement, model)).score([5, 7])
            for device in (rtl, EmulatorDevice(FOUR_SLOTS)))
        assert (simulated == emulated).all(), names
        found.append(emulated.tobytes())
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("stage", [
    CoreInfer({"shares": np.full(2, 0.7), "alpha": np.full(2, 0.4), "trigger": np.zeros(2)}),
    Reasoning.load(concepts() | {"thresholds": np.full_like(concepts()["thresholds"], -1e4)})])
def test_a_stage_that_remembers_has_the_emulators_bits(rtl, stage):
    """Neurons of the prompt; concepts, all of which hold, and the rule that follows from them."""
    model, found = synthetic_model(CONFIG, seed=1), []
    for device, stages in ((rtl, [stage]), (EmulatorDevice(FOUR_SLOTS), [stage]), (EmulatorDevice(FOUR_SLOTS), [])):
        session = Session(model, device, host_steps=host_steps(place(stages, model), model))
        session.feed([5, 7, 2, 8])
        found.append(session.score([9, 4]))
    assert (found[0] == found[1]).all() and (found[1] != found[2]).any()


def test_a_closed_loop_has_the_emulators_bits(rtl):
    """At strengths either way, one-sided, by the fabric and by stops; two of them and one beside a vector by stops."""
    model, random, found = synthetic_model(CONFIG, seed=1), np.random.default_rng(5), []
    directions, centres = random.standard_normal((2, CONFIG.layers, CONFIG.hidden_size))
    tensors = {"directions": directions / 10, "gains": directions / 20, "centres": centres,
               "setpoints": np.full((CONFIG.layers, 1), 2.0), "short": np.zeros(1)}
    loop, short = LQR.load(tensors), LQR.load(tensors | {"short": np.ones(1)}, 0.7)
    vector = DifferenceOfMeans({"vectors": random.standard_normal((CONFIG.layers, CONFIG.hidden_size))})
    for stages, where in (([], "auto"), ([loop], "fabric"), ([loop], "cpu"), ([loop.with_strength(-0.5)], "fabric"),
                          ([short], "fabric"), ([loop, short], "auto"), ([vector, loop], "auto")):
        placement = place(stages, model, where)
        assert bool(placement.cpu) == (where != "fabric" and bool(stages))
        simulated, emulated = (
            Session(model, device, taps=placement.taps, host_steps=host_steps(placement, model)).score([5, 7])
            for device in (rtl, EmulatorDevice(FOUR_SLOTS)))
        assert (simulated == emulated).all(), [stage.method for stage in stages]
        found.append(emulated.tobytes())
    assert found[1] == found[2] and len(set(found)) == len(found) - 1


def test_what_the_cpu_puts_in_the_fabrics_place_has_the_emulators_bits(rtl):
    """A norm and activation functions by stops of the simulated core, each alone and with two more stages."""
    model, random = synthetic_model(CONFIG, seed=1), np.random.default_rng(4)
    alpha, beta = random.standard_normal((2, CONFIG.layers, 2, CONFIG.hidden_size))
    norm = SeeDNorm({"alpha": alpha, "beta": beta / 3, "heads": np.array([4.0])})
    ash = Ash({"alpha": np.full(CONFIG.layers, 0.7), "z": np.full(CONFIG.layers, 0.4)})
    spark = SparkFunction({"z": np.full(CONFIG.layers, 0.5)})
    teal = Teal({"thresholds": random.uniform(0.2, 0.6, (CONFIG.layers, 4))})
    vector = DifferenceOfMeans({"vectors": random.standard_normal((CONFIG.layers, CONFIG.hidden_size))})
    clip = ProAct({name: random.uniform(0.5, 1.5, shape) for name, shape in ProAct.shapes(CONFIG).items()} | {
        "massive": np.zeros(CONFIG.hidden_size), "zero": np.zeros(1)})
    seen = [Session(model, EmulatorDevice(FOUR_SLOTS)).score([5, 7]).tobytes()]
    for stages in ([norm], [norm, teal, vector], [ash], [CRReLU({"epsilon": np.full(CONFIG.layers, 0.2)})], [XCos({})],
                   [spark], [clip], [norm, ash, clip], [norm, spark, teal]):
        placement = place(stages, model)
        steps = host_steps(placement, model)
        emulated, simulated = (Session(model, device, taps=placement.taps, host_steps=steps).score([5, 7])
                               for device in (EmulatorDevice(FOUR_SLOTS), rtl))
        assert (emulated == simulated).all(), [stage.method for stage in stages]
        seen.append(simulated.tobytes())
    assert len(set(seen)) == 10
