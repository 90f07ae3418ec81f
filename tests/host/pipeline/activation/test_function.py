"""Activation functions as stages: every device's bits, behind masks of the gate, for one request; what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY, native_paths
from host.pipeline.activation.ash import Ash
from host.pipeline.activation.crrelu import CRReLU
from host.pipeline.activation.spark import SparkFunction
from host.pipeline.activation.x_cos import XCos
from host.pipeline.artefact import save_artefact
from host.pipeline.loading import load_stages
from host.pipeline.normalisation.seednorm import SeeDNorm
from host.pipeline.placement import acting_alone, host_steps, place
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.teal import Teal
from host.pipeline.stage import Order, Stage
from host.runtime import Session
from models.dequantise import float_model
from models.errors import ArtefactError, ModelError, OptionError
from models.float_twin import run_float
from models.golden.model import GoldenModel
from models.golden.scalar import Scalar
from models.machine.build import CPU
from models.model_hash import model_hash
from models.synth import synthetic_model
from tests.families import FAMILIES

IDS = [5, 7, 2, 30]
CONFIG = FAMILIES["relu2 grouped heads"]
FUNCTIONS = {"ash": lambda config: Ash({"alpha": np.full(config.layers, 0.7), "z": np.arange(config.layers) - 0.5}),
             "crrelu": lambda config: CRReLU({"epsilon": np.full(config.layers, -0.3)}),
             "spark": lambda config: SparkFunction({"z": np.arange(config.layers) / 2}),
             "x-cos": lambda config: XCos({})}


class HalfTheGate(Stage):
    """Every other gate is zero."""

    kind, method, order, sites = "sparsity", "half", Order.MASK, (Site.GATE,)

    @staticmethod
    def shapes(config):
        return {}

    def apply(self, point, x, unit, model):
        return x * (np.arange(x.shape[1]) % 2)


def session_with(model, stages, device=None):
    placement = place(stages, model)
    return Session(model, device or EmulatorDevice(CPU), taps=placement.taps, host_steps=host_steps(placement, model))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_device_has_the_golden_models_bits(family, name):
    config = FAMILIES[family]
    model, rng = synthetic_model(config, seed=1), np.random.default_rng(3)
    norm = SeeDNorm({"alpha": rng.standard_normal((config.layers, 2, config.hidden_size)), "heads": np.array([2.0]),
                     "beta": rng.standard_normal((config.layers, 2, config.hidden_size)) / 3})
    seen = {Session(model, EmulatorDevice(CPU)).score(IDS).tobytes()}
    for more in ([], [HalfTheGate({})], [norm, Teal({"thresholds": np.full((config.layers, 4), 0.3)})]):
        stages = [FUNCTIONS[name](config), *more]
        placement = place(stages, model)
        steps = host_steps(placement, model)
        golden = GoldenModel(model, taps=placement.taps, stages=steps.acting.stages, norms=steps.acting.norms,
                             activations=steps.acting.activations)
        expected = np.stack([golden.step(token) for token in IDS])
        for path in [[*native_paths()][-1], NUMPY]:
            found = session_with(model, stages, EmulatorDevice(CPU, kernels=path)).score(IDS)
            assert (found == expected).all(), path
        seen.add(expected.tobytes())
    assert len(seen) == 4


def test_one_request_may_have_its_own(rng):
    model = synthetic_model(CONFIG, seed=1)
    prompts, stage = rng.integers(0, CONFIG.vocab_size, (2, 4)).tolist(), FUNCTIONS["crrelu"](CONFIG)
    session = Session(model, EmulatorDevice(CPU), sequences=2)
    tops = session.advance(list(enumerate(prompts)), own={1: acting_alone([stage], model)})
    for prompt, found, stages in zip(prompts, (tops[:4], tops[4:]), ([], [stage]), strict=True):
        alone = session_with(model, stages).advance([(0, prompt)])
        assert all((a.logits == b.logits).all() and (a.ids == b.ids).all() for a, b in zip(found, alone, strict=True))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_model_that_was_trained_with_one_runs_with_it_alone(name, tmp_path):
    model, stage = synthetic_model(CONFIG, seed=1), FUNCTIONS[name](CONFIG)
    plain = session_with(model, [stage]).score(IDS)
    model = replace(model, config=replace(CONFIG, activation=name))
    with pytest.raises(ModelError, match=f"was trained with {name}, and no activation function acts at layer 0, gate"):
        Session(model, EmulatorDevice(CPU))
    assert (session_with(model, [stage]).score(IDS) == plain).all()
    with pytest.raises(ModelError, match=f"has {name}, which the float model here does not compute"):
        run_float(float_model(model), np.array(IDS))
    with pytest.raises(OptionError, match=f"has no {name}.safetensors: it was not trained with {name}"):
        type(stage).fit(model, checkpoint=tmp_path)


def test_two_at_one_place_and_the_fabric_are_refused():
    model, stage = synthetic_model(CONFIG, seed=1), FUNCTIONS["ash"](CONFIG)
    with pytest.raises(ArtefactError, match="two activation functions at layer 0: use one of them"):
        place([stage, XCos({})], model)
    with pytest.raises(OptionError, match="the fabric cannot run activation by ash at layer 0, gate"):
        place([stage], model, "fabric")
    assert place([stage], model).cuts() == CONFIG.layers
    with pytest.raises(TypeError, match="Ash is an activation function and changes no rows"):
        stage.apply(Point(0, Site.GATE), np.zeros((1, 4)), Scalar(np.ones(1), np.ones(1)), model)
    with pytest.raises(OptionError, match="was trained with relu2, not ash"):
        Ash.fit(model, checkpoint=None)


@pytest.mark.parametrize("method, tensors, strength, message", [
    ("ash", {"alpha": np.ones(2), "z": np.full(2, 8.0)}, "", "tensor z: expected magnitudes below 8, found 8.0"),
    ("ash", {"alpha": np.full(2, 1e30), "z": np.ones(2)}, "", "tensor alpha: expected magnitudes of 0, or 2"),
    ("ash", {"alpha": np.ones(3), "z": np.ones(2)}, "", r"tensor alpha: expected F32 \[2\], found F32 \[3\]"),
    ("crrelu", {"epsilon": np.array([0, -9.0])}, "", "tensor epsilon: expected magnitudes below 8, found -9.0"),
    ("crrelu", {"epsilon": np.array([0, np.inf])}, "", "tensor epsilon: expected finite numbers"),
    ("crrelu", {"epsilon": np.zeros(2)}, ":0.5", "an activation function has no strength but 1, got 0.5"),
    ("spark", {"z": np.array([0, -8.0])}, "", "tensor z: expected magnitudes below 8, found -8.0"),
    ("x-cos", {"epsilon": np.zeros(2)}, "", "tensor epsilon: does not belong to activation by x-cos"),
    ("gelu", {}, "", "an artefact of activation by gelu, which is no method here")])
def test_a_wrong_artefact_is_refused(tmp_path, method, tensors, strength, message):
    model, path = synthetic_model(CONFIG, seed=1), tmp_path / "artefact"
    save_artefact(path, "activation", method, ("gate",), tensors, model=model_hash(model), fit={})
    with pytest.raises(ArtefactError, match=message):
        load_stages(model, [f"{path}{strength}"])
