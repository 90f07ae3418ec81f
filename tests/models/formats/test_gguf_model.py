import dataclasses

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as Kind
from gguf.quants import quantize

from models.checkpoint import load_model
from models.dequantise import float_model
from models.errors import ModelError
from models.formats import read_checkpoint
from models.formats.gguf_file import GgufFile
from tests.models.fixtures import FIXTURES, needs_fixtures
from tests.models.formats.folders import config_json, masters, write_folder
from tests.models.formats.gguf_files import (
    GGUF,
    GGUF_LLAMA,
    GGUF_SILU,
    I2_S,
    fields_of,
    i2_s,
    tensors_of,
    write_gguf,
)

Q, GATE = "blk.1.attn_q.weight", "blk.1.ffn_gate.weight"


def same_linears(model, folder_model, tolerance):
    for left, right in zip(model.layers, folder_model.layers, strict=True):
        for name, linear in left.linears.items():
            np.testing.assert_array_equal(linear.trits, right.linears[name].trits, strict=True)
            assert linear.scale == pytest.approx(right.linears[name].scale, rel=tolerance)


def write(tmp_path, config, architecture, number, **options):
    tensors = tensors_of(masters(config), config, number, permute=architecture == "llama", **options)
    return write_gguf(tmp_path / "made.gguf", fields_of(config, architecture), tensors)


@pytest.mark.parametrize("number", [Kind.TQ1_0, Kind.TQ2_0, I2_S, Kind.F32, Kind.F16, Kind.BF16],
                         ids=lambda n: getattr(n, "name", "I2_S"))
@pytest.mark.parametrize(("config", "architecture"), [
    (GGUF, "bitnet"), (GGUF, "bitnet-b1.58"), (GGUF_SILU, "bitnet"), (GGUF_LLAMA, "llama")],
    ids=lambda x: x if isinstance(x, str) else "")
def test_a_file_holds_what_the_folder_holds(tmp_path, config, architecture, number):
    folder = read_checkpoint(write_folder(tmp_path / "made", config_json(config), masters(config)))
    model = read_checkpoint(write(tmp_path, config, architecture, number))
    assert model.config == folder.config == config
    same_linears(model, folder, 2.0**-8 if number == Kind.BF16 else 2.0**-11)
    np.testing.assert_allclose(model.embedding, folder.embedding, rtol=1e-3, atol=1e-7)
    np.testing.assert_array_equal(model.final_gains, folder.final_gains)
    assert (model.head is None) == config.tied_head
    if model.head is not None:
        np.testing.assert_allclose(model.head, folder.head, rtol=1e-3, atol=1e-7)
    for left, right in zip(model.layers, folder.layers, strict=True):
        for name, gains in left.gains.items():
            np.testing.assert_array_equal(gains, right.gains[name], strict=True)


@needs_fixtures
@pytest.mark.parametrize("name", ["tq1_0", "tq2_0"])
@pytest.mark.parametrize("family", ["relu2_gqa", "silu_mha"])
def test_fixtures_are_the_models_they_were_made_of(family, name):
    model = read_checkpoint(FIXTURES / family / f"{name}.gguf")
    folder = read_checkpoint(FIXTURES / family / "hf_1bitllm")
    own = {"name": name, "bos_id": 1, "eos_ids": (2,), "context": 256}
    assert model.config == dataclasses.replace(folder.config, **own)
    same_linears(model, folder, 2.0**-8)


@needs_fixtures
def test_i2_s_and_tq2_0_of_one_model():
    models = [read_checkpoint(FIXTURES / f"gguf_i2_s/gguf_bitnet_tiny_{kind}.gguf") for kind in ("i2_s", "tq2_0")]
    same_linears(*models, 2.0**-10)
    assert models[0].provenance["assumed"][1].startswith("I2_S in blocks of 128 values, as builds for x86 write it")
    assert len(models[1].provenance["assumed"]) == 1


@pytest.mark.parametrize(("width", "kind"), [(16, "64 values"), (0, "four rows"), (32, "128 values")])
def test_the_layout_of_a_trained_model_is_found(tmp_path, width, kind):
    """The shipped model as bitnet.cpp's builds would write it."""
    demo = float_model(load_model("demo"))
    config = demo.config
    stems = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "gate": "ffn_gate", "up": "ffn_up",
             "down": "ffn_down"}
    gains = {"input": "attn_norm", "post_attention": "ffn_norm", "attn_sub": "attn_sub_norm", "ffn_sub": "ffn_sub_norm"}
    tensors = {"token_embd.weight": (0, demo.embedding.shape, demo.embedding.astype("<f4").tobytes()),
               "output_norm.weight": (0, demo.final_gains.shape, demo.final_gains.astype("<f4").tobytes())}
    for name, stem in stems.items():
        linear = demo.layers[0].linears[name]
        data = i2_s(linear.trits, linear.scale, width or linear.trits.shape[1]).tobytes()
        tensors[f"blk.0.{stem}.weight"] = I2_S, linear.trits.shape, data
    for name, stem in gains.items():
        values = demo.layers[0].gains[name]
        tensors[f"blk.0.{stem}.weight"] = 0, values.shape, values.astype("<f4").tobytes()
    one = dataclasses.replace(config, layers=1, eos_ids=(0, 1))
    fields = fields_of(one, "bitnet") | {"bitnet.hidden_activation": "relu2"}
    model = read_checkpoint(write_gguf(tmp_path / "demo.gguf", fields, tensors))
    assert model.provenance == {"source": "tritloom-demo", "format": "gguf", "weights": f"I2_S, {kind} to a block"}
    for name, linear in model.layers[0].linears.items():
        np.testing.assert_array_equal(linear.trits, demo.layers[0].linears[name].trits)


def test_scores_are_those_of_the_runtime_that_rotates_neighbours(tmp_path):
    """llama.cpp turns channels 2i, 2i + 1 of the file's rows; the machine i, i + half of ours: q·k are the same."""
    path = write(tmp_path, GGUF_LLAMA, "llama", Kind.F32)
    file, ours = GgufFile(path), read_checkpoint(path).layers[0].linears
    x, half = np.random.default_rng(0).standard_normal((2, GGUF_LLAMA.hidden_size)), GGUF_LLAMA.head_dim // 2
    turns = np.exp(1j * np.outer([3, 11], GGUF_LLAMA.rope_theta ** -(np.arange(half) / half)))  # two positions

    def first_head(name, position):
        stored = file.stored(f"blk.0.attn_{name}.weight").view("<f4").reshape(-1, GGUF_LLAMA.hidden_size)
        theirs = stored[:2 * half].astype(float) @ x[position]
        mine = ours[name].scale * ours[name].trits[:2 * half].astype(float) @ x[position]
        return turns[position] * (theirs[0::2] + 1j * theirs[1::2]), turns[position] * (mine[:half] + 1j * mine[half:])

    (q_theirs, q_mine), (k_theirs, k_mine) = first_head("q", 0), first_head("k", 1)
    assert (q_mine * k_mine.conj()).real.sum() == pytest.approx((q_theirs * k_theirs.conj()).real.sum(), rel=1e-6)
    assert np.abs(q_mine - q_theirs).max() < 1e-6


def test_a_scale_beside_the_weights_multiplies(tmp_path):
    tensors = tensors_of(masters(GGUF), GGUF, Kind.TQ2_0)
    plain = read_checkpoint(write_gguf(tmp_path / "a.gguf", fields_of(GGUF, "bitnet"), tensors))
    tensors["blk.1.attn_q.scale"] = 0, (1,), np.array([0.5], "<f4").tobytes()
    scaled = read_checkpoint(write_gguf(tmp_path / "b.gguf", fields_of(GGUF, "bitnet"), tensors))
    assert scaled.layers[1].linears["q"].scale == plain.layers[1].linears["q"].scale / 2
    assert scaled.layers[0].linears["q"].scale == plain.layers[0].linears["q"].scale


@pytest.mark.parametrize("kind", [Kind.Q8_0, Kind.Q4_0])
def test_tables_may_be_quantised(tmp_path, kind):
    tensors = tensors_of(masters(GGUF), GGUF, Kind.TQ2_0)
    table = masters(GGUF)["model.embed_tokens.weight"]
    tensors["token_embd.weight"] = int(kind), table.shape, quantize(table, kind).tobytes()
    model = read_checkpoint(write_gguf(tmp_path / "a.gguf", fields_of(GGUF, "bitnet"), tensors))
    np.testing.assert_allclose(model.embedding, table, atol=0.5)
    np.testing.assert_array_equal(model.embedding[3:5], np.asarray(model.embedding)[3:5])
    np.testing.assert_array_equal(model.embedding[np.array([7, 2])], np.asarray(model.embedding)[[7, 2]])


def changed(name, stored):
    def change(tensors):
        tensors[name] = stored
    return change


def floats(*shape, value=0.0):
    return 0, shape, np.full(shape, value, "<f4").tobytes()


@pytest.mark.parametrize(("change", "message"), [
    (lambda t: t.pop(GATE), f"tensor {GATE}: is missing"),
    (lambda t: t.pop("blk.0.ffn_sub_norm.weight"), "tensor blk.0.ffn_sub_norm.weight: is missing"),
    (lambda t: t.pop("token_embd.weight"), "tensor token_embd.weight: is missing"),
    (changed(Q, floats(256, 128)), f"tensor {Q}: expected shape [256, 256], found [256, 128]"),
    (changed(Q, (0, (256, 256), np.linspace(-1, 1, 65536, dtype="<f4").tobytes())),
     f"tensor {Q}: expected ternary weights, found floats of several magnitudes up to 1: which of them are meant is "
     "not said; convert the original checkpoint"),
    (changed(Q, (8, (256, 256), bytes(65536 // 32 * 34))),
     f"tensor {Q}: expected TQ1_0, TQ2_0, Q2_0, PQ2_0, PTQ1_0, I2_S or ternary floats, found Q8_0 "
     "(general.architecture 'bitnet', general.name 'made')"),
    (changed(Q, (39, (256, 256), bytes(65536 // 32 * 17))),
     f"tensor {Q}: expected a layout of its own values, found MXFP4 or bitnet.cpp's TL2, tiles for one kernel of "
     "bitnet.cpp (general.architecture 'bitnet', general.name 'made'): convert the original checkpoint, or an I2_S "
     "file"),
    (changed("blk.1.attn_q.scale", floats(1, value=-1)), f"tensor {Q}: expected a positive scale, found -"),
    (changed("blk.1.attn_q.bias", floats(256)),
     "tensor blk.1.attn_q.bias: expected the tensors of a ternary decoder without biases, found a bias"),
    (changed("blk.1.attn_q_norm.weight", floats(64)),
     "tensor blk.1.attn_q_norm.weight: expected the tensors of a ternary decoder without biases, found an unknown "
     "tensor"),
    (changed("rope_freqs.weight", floats(32, value=8)),
     "tensor rope_freqs.weight: expected the tensors of a ternary decoder without biases, found factors of a RoPE "
     "scaling"),
    (changed("output_norm.weight", floats(256, value=np.nan)),
     "tensor output_norm.weight: expected finite numbers, found NaN or infinity"),
    (changed("output_norm.weight", (36, (256,), bytes(64 + 32))),
     "tensor output_norm.weight: expected a floating-point type, found I2_S"),
    (changed("token_embd.weight", (36, (41, 256), bytes(41 * 64 + 32))),
     "tensor token_embd.weight: expected rows of floats, found I2_S"),
    (changed("token_embd.weight", floats(41, 256, value=np.inf)),
     "tensor token_embd.weight: expected finite numbers, found NaN or infinity"),
])
def test_damaged_tensors_are_named(tmp_path, change, message):
    tensors = tensors_of(masters(GGUF), GGUF, Kind.TQ2_0)
    change(tensors)
    path = write_gguf(tmp_path / "made.gguf", fields_of(GGUF, "bitnet"), tensors)
    with pytest.raises(ModelError) as error:
        model = read_checkpoint(path)
        assert list(model.layers)
        np.asarray(model.embedding)
    assert str(error.value).startswith(f"{path}: {message}")


def test_tl1_is_refused_by_its_size_or_name(tmp_path):
    tensors = tensors_of(masters(GGUF), GGUF, Kind.TQ2_0)
    tensors[Q] = 38, (256, 256), bytes(16384)
    path = write_gguf(tmp_path / "made.gguf", fields_of(GGUF, "bitnet"), tensors)
    with pytest.raises(ModelError, match=f"tensor {Q}: expected whole blocks of a known type, found .* of TL1"):
        read_checkpoint(path)


def test_factors_of_one_are_no_scaling(tmp_path):
    tensors = tensors_of(masters(GGUF_LLAMA), GGUF_LLAMA, Kind.TQ2_0, permute=True)
    tensors["rope_freqs.weight"] = floats(32, value=1)
    assert read_checkpoint(write_gguf(tmp_path / "a.gguf", fields_of(GGUF_LLAMA, "llama"), tensors)).config.layers == 2


def test_a_billion_layers_end_at_the_first_that_is_missing(tmp_path):
    tensors = tensors_of(masters(GGUF), GGUF, Kind.TQ2_0)
    fields = fields_of(GGUF, "bitnet") | {"bitnet.block_count": 2**31}
    with pytest.raises(ModelError, match="tensor blk.2.attn_norm.weight: is missing"):
        read_checkpoint(write_gguf(tmp_path / "made.gguf", fields, tensors))
