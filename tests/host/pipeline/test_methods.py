"""Methods are found where they lie, one of the user's works from fitting to logits, what is none is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host import score
from host.devices.emulator import EmulatorDevice
from host.pipeline.methods import find_methods
from host.pipeline.placement import host_steps, place
from host.pipeline.site import Point, Site, points_of
from host.runtime import Session
from models.checkpoint import load_model
from models.golden.model import GoldenModel
from models.golden.scalar import Scalar
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.test_commands import refused, run

OWN = Path(__file__).parent / "scaled_down.py"
CONFIG = FAMILIES["silu full heads"]
GOOD = OWN.read_text()


@pytest.fixture
def folder(tmp_path):
    """A folder of methods with one of the user's."""
    methods = tmp_path / "methods"
    methods.mkdir()
    shutil.copy(OWN, methods)
    return methods


def test_the_own_methods_are_found():
    sparsity = {"chess", "core-infer", "fixed-random", "oracle", "random-per-token", "spark", "tau-gate", "teal",
                "top-k", "wina", "zeros"}
    steering = {"au-steer", "difference-of-means", "eigen-shift", "foxp2", "lin-eas", "lqr",
                "reasoning", "snmf", "vector"}
    assert set(find_methods()) == {("normalisation", "rmsnorm"), ("normalisation", "seednorm"),
                                   *(("sparsity", name) for name in sparsity), ("resilience", "proact"),
                                   *(("activation", name) for name in ("ash", "crrelu", "spark", "x-cos")),
                                   *(("steering", name) for name in steering)}


def test_a_method_of_under_40_lines_is_fitted_listed_loaded_and_runs_in_the_fabric(folder, texts, capsys, monkeypatch):
    assert len(GOOD.splitlines()) < 40
    artefact, text = texts / "scaled.safetensors", texts / "austen.txt"
    listed = run(pipeline, "list", "--methods", folder, "--json", capsys=capsys)["methods"]
    assert ["sparsity", "scaled-down", ["down"]] in [[row["kind"], row["method"], row["sites"]] for row in listed]
    fitted = run(pipeline, "fit", "--kind", "sparsity", "--method", "scaled-down", "--methods", folder, "--text", text,
                 "--tokens", 64, "-o", artefact, "--json", capsys=capsys)
    assert fitted["fit"] == {"text": "austen.txt", "tokens": 64}
    assert "scaled-down, which is no method here" in refused(score, "--ids", "1,2", "--stage", artefact, capsys=capsys)
    monkeypatch.setenv("TRITLOOM_METHODS", str(folder))
    line = refused(score, "--ids", "1,2", "--stage", f"{artefact}:nan", capsys=capsys)
    assert f"{artefact}: its strength must be finite, got nan" in line
    model = load_model("demo")
    found = run(score, "--ids", "5,6,7,8", "--stage", f"{artefact}:0.01", "--json", capsys=capsys)
    assert found["stages"] == [{"stage": f"{artefact}:0.01", "kind": "sparsity", "method": "scaled-down",
                                "strength": 0.01, "runs": "fabric", "sites": ["down"], "points": model.config.layers,
                                "cuts": 0}]
    plain, none = (run(score, "--ids", "5,6,7,8", *stage, "--json", capsys=capsys)["nll"]
                   for stage in ((), ("--stage", f"{artefact}:0")))
    assert found["nll"] != plain == none


def test_tensors_that_are_not_as_its_shapes_say_are_not_written(folder, texts, capsys):
    (folder / "scaled_down.py").write_text(GOOD.replace('{"scales": sizes', '{"scale": sizes'))
    line = refused(pipeline, "fit", "--kind", "sparsity", "--method", "scaled-down", "--methods", folder, "--text",
                   texts / "austen.txt", "--tokens", 64, "-o", texts / "x", capsys=capsys)
    assert "scaled-down fitted {'scale': (6, " in line and not (texts / "x").exists()


def test_a_method_may_be_a_dataclass(folder):
    (folder / "scaled_down.py").write_text("from __future__ import annotations\nfrom dataclasses import dataclass\n" + (
        GOOD.replace("class ScaledDown", "@dataclass\nclass Extra:\n    here: int\n\n\nclass ScaledDown")))
    assert ("sparsity", "scaled-down") in find_methods(folder)


def test_it_goes_to_the_cpu_where_no_gain_holds_it(folder):
    model = synthetic_model(CONFIG, seed=1)
    method = find_methods(folder)["sparsity", "scaled-down"]
    scales = np.ones((CONFIG.layers, CONFIG.ffn_size))
    scales[0, 3] = 9
    placement = place([method({"scales": scales})], model)
    assert set(placement.cpu) == {Point(0, Site.DOWN)}
    assert set(placement.taps) == set(points_of(Site.DOWN, CONFIG)[1:])
    assert set(host_steps(placement, model).points) == set(placement.cpu) and placement.cuts() == 1


def test_its_tap_and_its_own_arithmetic_give_the_same_bits(folder):
    model = synthetic_model(CONFIG, seed=1)
    method, random = find_methods(folder)["sparsity", "scaled-down"], np.random.default_rng(2)
    stage = method({"scales": random.uniform(0, 3.9, (CONFIG.layers, CONFIG.ffn_size))}, 0.9)
    x = random.integers(-2**38, 2**38, (5, CONFIG.ffn_size))
    unit = Scalar(np.full(5, 1 << 23), np.full(5, -20))
    point = Point(1, Site.DOWN)
    assert (stage.apply(point, x, unit, model) == super(method, stage).apply(point, x, unit, model)).all()


def test_the_device_does_what_the_golden_model_does(folder):
    model = synthetic_model(CONFIG, seed=1)
    scales = np.random.default_rng(2).uniform(0.1, 2, (CONFIG.layers, CONFIG.ffn_size))
    taps = place([find_methods(folder)["sparsity", "scaled-down"]({"scales": scales})], model).taps
    golden = GoldenModel(model, taps=taps)
    found = Session(model, EmulatorDevice(CPU), taps=taps).score([1, 2, 3])
    assert (found == [golden.step(token) for token in (1, 2, 3)]).all()


@pytest.mark.parametrize("change, message", [
    (("import numpy", "import nonumpy"), "scaled_down.py cannot be used: ModuleNotFoundError: No module named 'non"),
    (("class", "class class"), "scaled_down.py cannot be used: SyntaxError"),
    (('"scaled-down"', '"teal"'), "scaled_down.py: there is sparsity by teal already"),
    (('"sparsity"', '"speed"'),
     "scaled_down.py: ScaledDown needs a kind (normalisation, sparsity, steering, resilience, "
     "activation)"),
    (("    def shapes", "    def no_shapes"), "scaled_down.py has no stage"),
    (("Order.GAIN, ", ""), "scaled_down.py cannot be used: ValueError")])
def test_a_file_that_is_no_method_is_one_line(folder, capsys, change, message):
    (folder / "scaled_down.py").write_text(GOOD.replace(*change))
    assert message in refused(pipeline, "list", "--methods", folder, capsys=capsys)


def test_a_folder_that_is_not_there_is_one_line(tmp_path, capsys):
    assert "none is no folder of methods" in refused(pipeline, "list", "--methods", tmp_path / "none", capsys=capsys)
