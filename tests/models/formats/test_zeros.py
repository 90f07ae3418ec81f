"""Tensors of zeros alone, as a download with holes leaves them: one rule for every layout."""

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as Kind
from gguf.quants import quantize

from models.errors import ModelError
from models.formats import read_checkpoint
from models.formats.zeros import ZeroTensors, zeros_in_words
from models.quantise import quantise_model
from tests.models.formats.folders import STEMS, config_json, masters, packed, write_folder
from tests.models.formats.gguf_files import GGUF, GGUF_LLAMA, I2_S, NAMES, fields_of, tensors_of, write_gguf

MATRICES = ("gate", "up", "down")
THEIRS = [f"model.layers.0.{STEMS[name]}.weight" for name in MATRICES]
OURS = [f"blk.0.{NAMES[name]}.weight" for name in MATRICES]
KINDS = {"tq1_0": Kind.TQ1_0, "tq2_0": Kind.TQ2_0, "i2_s": I2_S, "f16": Kind.F16, "f32": Kind.F32, "bf16": Kind.BF16}


def hollow(tensors, names):
    return tensors | {name: np.zeros_like(tensors[name]) for name in names}


def written(path, kind, zeros):
    """A GGUF file; `zeros` makes the bytes of the hollow tensors from a shape and their bytes before."""
    tensors = tensors_of(masters(GGUF), GGUF, KINDS[kind])
    stored = {name: (number, shape, zeros(shape, data) if name in OURS else data)
              for name, (number, shape, data) in tensors.items()}
    return write_gguf(path, fields_of(GGUF, "bitnet"), stored)


def read(source):
    model = read_checkpoint(source)
    return model, quantise_model(model)


def check(model, made, names, zero):
    assert made.provenance["zeros"] == names
    for name, linear in model.layers[0].linears.items():
        if name in MATRICES and zero:
            assert not linear.trits.any() and not made.layers[0].linears[name].trits().any()
        else:
            assert linear.trits.any()


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_gguf_file_whose_weights_are_zeros(tmp_path, kind):
    def zeros(shape, data):
        if kind == "i2_s":  # zero trits, and any scale
            return bytes([0x55]) * (len(data) - 32) + data[-32:]
        return quantize(np.zeros(shape, np.float32), KINDS[kind]).tobytes()

    check(*read(written(tmp_path / "m.gguf", kind, zeros)), OURS, zero=True)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_gguf_file_with_holes(tmp_path, kind):
    check(*read(written(tmp_path / "m.gguf", kind, lambda shape, data: bytes(len(data)))), OURS, zero=True)


@pytest.mark.parametrize("layout", ["masters", "packed"])
def test_a_folder_with_holes(tmp_path, layout):
    tensors, changes = masters(GGUF), {}
    if layout == "packed":
        tensors = packed(tensors, 0.5)
        changes = {"quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear"}}
    folder = write_folder(tmp_path / "m", config_json(GGUF, **changes), hollow(tensors, THEIRS))
    model, made = read(folder)
    check(model, made, THEIRS, zero=layout == "masters")  # a packed 0 is the trit -1


@pytest.mark.parametrize(("linear_class", "weights"), [("autobitlinear", None), ("bitlinear", 0x55), ("bitlinear", 0)])
def test_a_packed_scale_of_zero(tmp_path, linear_class, weights):
    """It makes zeros where it multiplies; where it divides, zeros alone may have it, or a hole."""
    tensors = packed(masters(GGUF), 0.5)
    if weights is not None:
        tensors |= {name: np.full_like(tensors[name], weights) for name in THEIRS}
    tensors |= {f"{name}_scale": np.zeros(1, np.float32) for name in THEIRS}
    quantisation = {"quant_method": "bitnet", "linear_class": linear_class}
    check(*read(write_folder(tmp_path / "m", config_json(GGUF, quantization_config=quantisation), tensors)), THEIRS,
          zero=True)


def test_a_scale_of_zero_cannot_divide_weights(tmp_path):
    tensors = packed(masters(GGUF), 0.5) | {f"{THEIRS[0]}_scale": np.zeros(1, np.float32)}
    folder = write_folder(tmp_path / "m", config_json(GGUF, quantization_config={"quant_method": "bitnet"}), tensors)
    with pytest.raises(ModelError, match=f"tensor {THEIRS[0]}_scale: expected a positive scale, found 0.0$"):
        read(folder)


def test_masters_too_small_to_be_told_from_zero(tmp_path):
    tensors = masters(GGUF)
    tensors[THEIRS[1]] = tensors[THEIRS[1]] * np.float32(1e-9)
    assert read(write_folder(tmp_path / "m", config_json(GGUF), tensors))[1].provenance["zeros"] == [THEIRS[1]]


def test_tables_and_gains_of_zeros(tmp_path):
    names = ["model.layers.1.input_layernorm.weight", "model.embed_tokens.weight", "lm_head.weight",
             "model.norm.weight"]
    folder = write_folder(tmp_path / "m", config_json(GGUF_LLAMA), hollow(masters(GGUF_LLAMA), names))
    made = read(folder)[1]
    assert sorted(made.provenance["zeros"]) == sorted(names)
    assert not made.embedding.any() and not made.head.any() and made.residual_fraction_bits == 27


def test_a_table_is_looked_at_in_all_its_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("models.formats.source._BLOCK_BYTES", 4 * 5 * GGUF.hidden_size)
    tensors = masters(GGUF)
    tensors["model.embed_tokens.weight"][:20] = 0
    assert "zeros" not in read(write_folder(tmp_path / "m", config_json(GGUF), tensors))[1].provenance


def test_parts_in_any_order():
    zeros = ZeroTensors()
    for name, value in (("a", 0), ("a", 0), ("b", 0), ("b", 1), ("c", 1), ("c", 0)):
        zeros.look(name, np.full(3, value))
    zeros.look("d", np.ones(2), np.zeros(2))
    assert zeros.names == ["a", "d"]


def test_the_note_names_the_first_few():
    assert zeros_in_words(["a"]) == "zeros alone in the tensor a: is the file whole?"
    assert zeros_in_words(list("abcdef")) == "zeros alone in the tensors a, b, c, d and 2 more: is the file whole?"
