"""The peer's GGUF file, read back by the gguf library: the same trits, scales, gains and shape."""

from dataclasses import replace

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize

from models.config import ModelConfig
from models.dequantise import float_model
from models.errors import ModelError, OptionError
from models.synth import synthetic_model
from scripts.peers.peer_model import pack_tq2, write_peer_model

SHAPE = ModelConfig(name="blocks", vocab_size=70, hidden_size=256, ffn_size=512, layers=2, heads=4, kv_heads=2,
                    head_dim=64, activation="silu", sub_norms=True, tied_head=True, rope_theta=5e5, rms_eps=1e-5,
                    context=96)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    model, path = synthetic_model(SHAPE, seed=1), tmp_path_factory.mktemp("peer") / "model.gguf"
    write_peer_model(model, path)
    return model, GGUFReader(path)


def test_every_tensor_has_the_model_s_values(written):
    model, reader = written
    source = float_model(model)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert len(tensors) == 2 + 2 * 11

    def values(name, kind):
        tensor = tensors[f"{name}.weight"]
        assert tensor.tensor_type == GGMLQuantizationType[kind]
        return dequantize(tensor.data, tensor.tensor_type)

    places = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "gate": "ffn_gate", "up": "ffn_up",
              "down": "ffn_down"}
    norms = {"input": "attn_norm", "post_attention": "ffn_norm", "attn_sub": "attn_sub_norm", "ffn_sub": "ffn_sub_norm"}
    for index, layer in enumerate(source.layers):
        for name, linear in layer.linears.items():
            expected = linear.trits * np.float32(np.float16(linear.scale))
            assert np.array_equal(values(f"blk.{index}.{places[name]}", "TQ2_0"), expected)
        for name, gains in layer.gains.items():
            assert np.array_equal(values(f"blk.{index}.{norms[name]}", "F32"), gains)
    assert np.array_equal(values("output_norm", "F32"), source.final_gains)
    embedding = values("token_embd", "Q8_0")
    step = np.abs(source.embedding).max(axis=1, keepdims=True) / 127
    assert (np.abs(embedding - source.embedding) <= 0.56 * step).all()  # half a step, and the scale's float16


def test_the_metadata_describe_the_shape(written):
    _, reader = written
    fields = {name.removeprefix("bitnet."): field.contents() for name, field in reader.fields.items()}
    assert fields["general.architecture"] == "bitnet" and fields["tokenizer.ggml.model"] == "no_vocab"
    expected = {"vocab_size": 70, "context_length": 96, "embedding_length": 256, "block_count": 2,
                "feed_forward_length": 512, "attention.head_count": 4, "attention.head_count_kv": 2,
                "rope.dimension_count": 64, "rope.freq_base": 5e5}
    assert {name: fields[name] for name in expected} == expected
    assert fields["attention.layer_norm_rms_epsilon"] == pytest.approx(1e-5)


def test_a_block_of_zeros_stays_zero():
    trits = np.zeros((1, 512), np.int8)
    trits[0, 300:302] = 1, -1
    packed = pack_tq2(trits, 0.25)
    assert packed.shape == (1, 132)
    assert np.array_equal(dequantize(packed, GGMLQuantizationType.TQ2_0), trits * np.float32(0.25))


@pytest.mark.parametrize("changes,message", [
    ({"tied_head": False}, "a model with sub-norms and a tied head"),
    ({"sub_norms": False}, "a model with sub-norms and a tied head"),
    ({"ffn_size": 500}, "sizes that are multiples of 256, found 500"),
    ({"head_dim": 32}, "heads that make up the hidden size of 256, found 128 channels"),
])
def test_shapes_that_the_peer_cannot_hold_are_refused(tmp_path, changes, message):
    model = synthetic_model(replace(SHAPE, layers=1, **changes))
    with pytest.raises(ModelError, match=message):
        write_peer_model(model, tmp_path / "model.gguf")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path):
    model = synthetic_model(replace(SHAPE, layers=1))
    with pytest.raises(OptionError, match="cannot be written"):
        write_peer_model(model, tmp_path / "missing" / "model.gguf")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OptionError, match="taken cannot be written"):
        write_peer_model(model, tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
