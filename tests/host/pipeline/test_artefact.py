"""Artefacts of sparsity and steering: what acts, what is refused, and that each refusal names file and entry."""

import dataclasses
import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY
from host.pipeline.artefact import save_artefact
from host.pipeline.loading import load_stages
from host.pipeline.placement import place
from host.pipeline.site import Point
from host.runtime import Session
from models.errors import ArtefactError, OptionError
from models.golden.tap import neutral_tap
from models.machine.build import CPU
from models.model_hash import model_hash
from models.synth import synthetic_model
from tests.families import FAMILIES

CONFIG = FAMILIES["relu2 grouped heads"]
KINDS = {"sparsity": ("teal", "thresholds", (CONFIG.layers, 4)),
         "steering": ("difference-of-means", "vectors", (CONFIG.layers, CONFIG.hidden_size))}
SITES = {"sparsity": "qkv,o,gate_up,down", "steering": "residual"}


@pytest.fixture(scope="module")
def model():
    return synthetic_model(CONFIG, seed=1)


@pytest.fixture
def fitted(tmp_path, model, rng):
    """Writes a good artefact of a kind: fitted(kind, name, values) -> path."""

    def write(kind, name="good", values=None):
        method, tensor, shape = KINDS[kind]
        values = rng.random(shape) + 0.1 if values is None else values
        path = tmp_path / f"{name}.safetensors"
        save_artefact(path, kind, method, SITES[kind].split(","), {tensor: values}, model=model_hash(model),
                      fit={"on": "noise"})
        return path

    return write


@pytest.fixture
def damaged(tmp_path, model):
    """Writes an artefact of any tensors and metadata: None takes an entry away."""

    def write(kind, /, tensors=None, **changes):
        method, tensor, shape = KINDS[kind]
        metadata = {"format": "tritloom-artefact", "version": "1", "kind": kind, "method": method, "sites": SITES[kind],
                    "model": model_hash(model), "fit": "{}"} | changes
        path = tmp_path / "damaged.safetensors"
        save_file({tensor: np.ones(shape, np.float32)} if tensors is None else tensors, path,
                  {name: value for name, value in metadata.items() if value is not None})
        return path

    return write


def load(model, *items):
    """The taps of artefacts together."""
    placement = place([stage for _, stage in load_stages(model, [str(item) for item in items])], model)
    assert not placement.cpu
    return placement.taps


def refusal(model, item):
    with pytest.raises(ArtefactError) as error:
        load(model, item)
    return str(error.value)


def test_the_metadata_say_what_it_is(fitted, model):
    with safe_open(fitted("steering"), "numpy") as file:
        found = file.metadata()
    assert json.loads(found.pop("fit")) == {"on": "noise"}
    assert found == {"format": "tritloom-artefact", "version": "1", "kind": "steering", "method": "difference-of-means",
                     "sites": "residual", "model": model_hash(model)}


def test_several_vectors_are_added(fitted, model, rng):
    shape = KINDS["steering"][2]
    first, second = rng.standard_normal(shape).astype(np.float32), rng.standard_normal(shape).astype(np.float32)
    paths = fitted("steering", "a", first), fitted("steering", "b", second)
    together = fitted("steering", "c", first.astype(np.float64) * 0.5 + second.astype(np.float64) * -2)
    found, expected = load(model, f"{paths[0]}:0.5", f"{paths[1]}:-2"), load(model, together)
    assert found.keys() == expected.keys() == {Point(layer, "residual") for layer in range(CONFIG.layers)}
    for point in found:
        assert found[point].add_exponent == expected[point].add_exponent
        difference = found[point].add.astype(int) - expected[point].add.astype(int)
        assert np.abs(difference).max() <= 1  # the sum was rounded to float32 on its way
    for point, tap in load(model, f"{paths[0]}:0.5").items():
        assert (tap.add != found[point].add).any()


def test_opposite_vectors_cancel_and_strength_zero_does_nothing(fitted, model):
    path = fitted("steering")
    neutral = dataclasses.astuple(neutral_tap(CONFIG.hidden_size))
    for taps in (load(model, f"{path}:3", f"{path}:-3"), load(model, f"{path}:0")):
        assert taps.keys() == {Point(layer, "residual") for layer in range(CONFIG.layers)}  # so that it can be raised
        assert all(np.array_equal(*pair) for tap in taps.values()
                   for pair in zip(dataclasses.astuple(tap), neutral, strict=True))


def test_of_several_thresholds_the_highest_counts(fitted, model):
    low, high = np.full((CONFIG.layers, 4), 0.25), np.full((CONFIG.layers, 4), 0.125)
    high[:, 1] = 0.5
    paths = fitted("sparsity", "low", low), fitted("sparsity", "high", high)
    both = load(model, *paths)
    expected = load(model, fitted("sparsity", "both", np.maximum(low, high)))
    assert both.keys() == expected.keys()
    assert all((both[point].threshold == expected[point].threshold).all()
               and both[point].threshold_exponent == expected[point].threshold_exponent for point in both)


def test_both_kinds_act_together(fitted, model):
    taps = load(model, fitted("sparsity", "s"), fitted("steering", "v"))
    assert {point.site for point in taps} == {"qkv", "o", "gate_up", "down", "residual"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_artefact_of_another_model_of_this_shape_is_refused(fitted, kind):
    other = synthetic_model(CONFIG, seed=2)
    path = fitted(kind)
    line = refusal(other, path)
    assert line.startswith(f"{path} was fitted to another model") and model_hash(other)[:12] in line


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("entry", ["kind", "method", "sites", "model", "version"])
def test_metadata_that_are_missing_are_named(damaged, model, kind, entry):
    path = damaged(kind, **{entry: None})
    assert refusal(model, path).startswith(str(path))
    assert ("model" if entry == "version" else entry) in refusal(model, path)


def test_other_kinds_methods_and_versions_are_named(damaged, model):
    line = refusal(model, damaged("steering", method="x"))
    assert "artefact of steering by x, which is no method here; known: normalisation by rmsnorm, " in line
    assert "artefact of x by teal, which is no method here" in refusal(model, damaged("sparsity", kind="x"))
    assert "version: expected 1, found '2'" in refusal(model, damaged("steering", version="2"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [
    lambda a: a[0, 0], lambda a: a.reshape(-1), lambda a: a[:, :-1].copy(), lambda a: a[None], lambda a: a.T.copy(),
    lambda a: a[:0], lambda a: a.astype(np.float64), lambda a: a.astype(np.float16), lambda a: a.astype(bool),
    lambda a: a.astype(np.int32), lambda a: a * np.float32(np.nan), lambda a: a * np.float32(np.inf),
    lambda a: a * np.float32(1e-42), lambda a: a * np.float32(1e-30), lambda a: a * np.float32(1e30)])
def test_damaged_tensors_are_named(damaged, model, kind, change):
    _, tensor, shape = KINDS[kind]
    path = damaged(kind, {tensor: np.asarray(change(np.ones(shape, np.float32)))})
    line = refusal(model, path)
    assert line.startswith(f"{path}: tensor {tensor}: expected ") and "found" in line


@pytest.mark.parametrize("kind", KINDS)
def test_types_that_numpy_lacks_are_named(tmp_path, damaged, model, kind):
    """bfloat16 and float8: the type's name is changed in a good file's header, its bytes halved or quartered."""
    _, tensor, shape = KINDS[kind]
    for name, size in (("BF16", 2), ("F8_E4M3", 1)):
        data = damaged(kind).read_bytes()
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8:8 + length])
        nbytes = size * int(np.prod(shape))
        header[tensor] |= {"dtype": name, "data_offsets": [0, nbytes]}
        text = json.dumps(header).encode()
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(nbytes))
        line = refusal(model, path)
        assert f"{path}: tensor {tensor}: expected" in line and f"found {name}" in line


@pytest.mark.parametrize("kind", KINDS)
def test_missing_and_further_tensors_are_named(damaged, model, kind):
    method, tensor, shape = KINDS[kind]
    good = np.ones(shape, np.float32)
    assert f"tensor {tensor}: is missing" in refusal(model, damaged(kind, {"other": good}))
    assert f"tensor other: does not belong to {kind} by {method}" in refusal(
        model, damaged(kind, {tensor: good, "other": good}))


def test_thresholds_below_zero_are_refused(damaged, model):
    values = np.ones(KINDS["sparsity"][2], np.float32)
    values[-1, -1] = -1
    assert "tensor thresholds: expected none below 0, found -1.0" in refusal(
        model, damaged("sparsity", {"thresholds": values}))


@pytest.mark.parametrize("strength", ["1e-322", "-1e-322", "1e-30", "nan", "inf", "-inf", "1e30", "1e308"])
def test_strengths_that_no_tap_can_hold_are_refused(fitted, model, strength):
    path = fitted("steering")
    line = refusal(model, f"{path}:{strength}")
    assert line.startswith(f"{path}: tensor vectors") and str(float(strength)) in line


@pytest.mark.parametrize("strength", ["-1e-9", "-1", "-inf"])
def test_a_threshold_has_no_negative_strength(fitted, model, strength):
    path = fitted("sparsity")
    assert refusal(model, f"{path}:{strength}").endswith(f"its strength must not be negative, got {float(strength)}")


@pytest.mark.parametrize("sites", ["", "down,donw", "down,", "DOWN"])
def test_sites_that_are_misspelt_are_named(damaged, model, sites):
    path = damaged("steering", sites=sites)
    wrong = next(name for name in sites.split(",") if name != "down")
    assert refusal(model, path).startswith(f"{path}: sites: expected some of attention_norm, qkv, ")
    assert refusal(model, path).endswith(f"found {wrong!r}")


@pytest.mark.parametrize("data", [b"", b"abc", b"\xff" * 100, bytes(100)])
def test_files_that_are_no_safetensors_are_one_line(tmp_path, model, data):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    assert refusal(model, path).startswith(f"cannot read artefact {path}: ")


@pytest.mark.parametrize("kernels", ["auto", NUMPY])
def test_saturations_are_those_of_a_session(fitted, model, kernels):
    device = EmulatorDevice(CPU, kernels=kernels)
    wild = Session(model, device, taps=load(model, f"{fitted('steering')}:1e12"))
    wild.prefill([1, 2, 3])
    assert wild.saturations > 0
    tame = Session(model, device)
    assert tame.saturations == 0
    tame.prefill([1, 2, 3])
    assert tame.saturations == 0


def test_rows_of_zeros_and_small_numbers_beside_large_ones_are_good(fitted, model):
    values = np.zeros(KINDS["steering"][2])
    values[1, :2] = 1, 1e-42
    assert load(model, fitted("steering", values=values)).keys() == {Point(1, "residual")}


def test_a_file_that_cannot_be_written_is_one_line(tmp_path, model):
    for name in ("none/x", "a\0b", "a" * 300):
        with pytest.raises(OptionError, match="cannot be written"):
            save_artefact(tmp_path / name, "steering", "m", (), {"vectors": np.zeros(2)}, model="", fit={})


def test_the_shape_of_another_model_is_named(fitted):
    larger = synthetic_model(dataclasses.replace(CONFIG, layers=CONFIG.layers + 1), seed=1)
    assert f"tensor vectors: expected F32 [{CONFIG.layers + 1}, " in refusal(larger, fitted("steering"))
