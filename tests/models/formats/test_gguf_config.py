from pathlib import Path

import pytest

from models.config import ModelConfig
from models.errors import ModelError
from models.formats.gguf_config import GgufMetadata
from tests.models.formats.gguf_files import GGUF, GGUF_LLAMA, GGUF_SILU, fields_of

PATH = Path("dir/file.gguf")


def read(fields, config=GGUF, activation=None):
    metadata = GgufMetadata(PATH, {name: value for name, value in fields.items() if value is not ...})
    return metadata.config(vocab_size=config.vocab_size, tied_head=config.tied_head, sub_norms=config.sub_norms,
                           activation=activation)


@pytest.mark.parametrize(("config", "architecture"), [
    (GGUF, "bitnet"), (GGUF, "bitnet-b1.58"), (GGUF, "bitnet-25"), (GGUF_SILU, "bitnet"), (GGUF_LLAMA, "llama")])
def test_every_family(config, architecture):
    assert read(fields_of(config, architecture), config) == config


def test_floats_are_the_decimals_they_were_written_as():
    fields = fields_of(GGUF, "bitnet") | {"bitnet.attention.layer_norm_rms_epsilon": 9.999999747378752e-06,
                                          "bitnet.rope.freq_base": 1000042.0}
    found = read(fields)
    assert found.rms_eps == 1e-5
    assert found.rope_theta == 1000042.0


def test_what_may_be_absent():
    fields = fields_of(GGUF_SILU, "bitnet") | {
        "bitnet.rope.freq_base": ..., "bitnet.attention.head_count_kv": ..., "bitnet.rope.dimension_count": ...,
        "bitnet.vocab_size": ..., "general.name": ..., "tokenizer.ggml.bos_token_id": ...,
        "tokenizer.ggml.eos_token_id": ..., "tokenizer.ggml.eot_token_id": ...}
    expected = {"name": "file", "bos_id": None, "eos_ids": ()}
    assert read(fields, GGUF_SILU) == ModelConfig(**vars(GGUF_SILU) | expected)


def test_heads_of_another_size_than_the_hidden_size():
    fields = fields_of(GGUF_LLAMA, "llama") | {"llama.attention.key_length": 32, "llama.attention.value_length": 32,
                                               "llama.rope.dimension_count": 32}
    assert read(fields, GGUF_LLAMA).head_dim == 32


@pytest.mark.parametrize(("architecture", "changes", "activation", "expected"), [
    ("bitnet", {"bitnet.hidden_activation": "silu"}, None, "silu"),
    ("bitnet", {"bitnet.hidden_activation": "relu2"}, "relu2", "relu2"),
    ("bitnet", {"bitnet.attention.head_count_kv": 4}, "silu", "silu"),
    ("bitnet", {"bitnet.rope.freq_base": 1e4}, "relu2", "relu2"),
    ("bitnet-b1.58", {"bitnet-b1.58.attention.head_count_kv": 4}, None, "relu2"),
    ("bitnet-b1.58", {"bitnet-b1.58.rope.freq_base": 1e4}, None, "relu2"),
    ("bitnet-b1.58", {"bitnet-b1.58.attention.head_count_kv": 4, "bitnet-b1.58.rope.freq_base": 1e4}, None, "silu"),
    ("llama", {}, "silu", "silu"),
])
def test_the_activation(architecture, changes, activation, expected):
    assert read(fields_of(GGUF, architecture) | changes, activation=activation).activation == expected


@pytest.mark.parametrize(("changes", "expected"), [
    ({}, (0, (1, 2))),
    ({"tokenizer.ggml.add_bos_token": True}, (0, (1, 2))),
    ({"tokenizer.ggml.add_bos_token": False}, (None, (1, 2))),
    ({"tokenizer.ggml.eom_token_id": 3}, (0, (1, 2, 3))),
    ({"tokenizer.ggml.eot_token_id": 1}, (0, (1,))),
    ({"tokenizer.ggml.eot_token_id": ...}, (0, (1,))),
])
def test_first_and_end_tokens(changes, expected):
    found = read(fields_of(GGUF, "bitnet") | changes)
    assert (found.bos_id, found.eos_ids) == expected


@pytest.mark.parametrize(("changes", "message"), [
    ({"general.architecture": "qwen2"},
     "general.architecture: expected one of llama, bitnet, bitnet-25, bitnet-b1.58, qwen3, found 'qwen2'"),
    ({"general.architecture": "qwen35"},
     "general.architecture: expected one of llama, bitnet, bitnet-25, bitnet-b1.58, qwen3, found 'qwen35': hybrid "
     "attention with linear layers, which the machine does not compute"),
    ({"general.architecture": "minicpm"},
     "general.architecture: expected one of llama, bitnet, bitnet-25, bitnet-b1.58, qwen3, found 'minicpm': scaled "
     "embeddings, residuals and logits, which the machine does not compute"),
    ({"prism.hadamard.version": 1},
     "prism.hadamard.version: expected weights as activations meet them, found such as a Hadamard transform has "
     "rotated, which the machine does not compute"),
    ({"bitnet.attention.sliding_window": 16},
     "bitnet.attention.sliding_window: expected nothing that the machine does not do, found 16"),
    ({"bitnet.full_attention_interval": 4},
     "bitnet.full_attention_interval: expected nothing that the machine does not do, found 4"),
    ({"bitnet.pooling_type": 3}, "bitnet.pooling_type: expected nothing that the machine does not do, found 3"),
    ({"general.architecture": ...},
     "general.architecture: expected one of llama, bitnet, bitnet-25, bitnet-b1.58, qwen3, found None"),
    ({"split.count": 3}, "split.count: expected a whole model in one file, found 3"),
    ({"bitnet.block_count": ...}, "bitnet.block_count is missing"),
    ({"bitnet.block_count": 0}, "config: layers must be a positive integer, got 0"),
    ({"bitnet.feed_forward_length": [512, 256]},
     "bitnet.feed_forward_length: expected one number for all layers, found [512, 256]"),
    ({"bitnet.attention.head_count_kv": [4, 2]},
     "bitnet.attention.head_count_kv: expected one number for all layers, found [4, 2]"),
    ({"bitnet.attention.head_count": 3},
     "bitnet.attention.head_count: expected a divisor of embedding_length 256, found 3"),
    ({"bitnet.attention.value_length": 32},
     "bitnet.attention.value_length: expected 64, channels of a whole head, found 32"),
    ({"bitnet.rope.dimension_count": 32},
     "bitnet.rope.dimension_count: expected 64, channels of a whole head, found 32"),
    ({"bitnet.vocab_size": 42}, "bitnet.vocab_size: expected 41, as token_embd has rows, found 42"),
    ({"bitnet.rope.scaling.type": "yarn"},
     "bitnet.rope.scaling.type: expected nothing that the machine does not do, found 'yarn'"),
    ({"bitnet.rope.scaling.type": "linear", "bitnet.rope.scaling.factor": 4.0},
     "bitnet.rope.scaling.factor: expected nothing that the machine does not do, found 4.0"),
    ({"bitnet.expert_count": 8}, "bitnet.expert_count: expected nothing that the machine does not do, found 8"),
    ({"bitnet.rope.freq_base": float("inf")},
     "config: rope_theta must be a positive number that a scalar word holds, got inf"),
    ({"bitnet.hidden_activation": "gelu"},
     "bitnet.hidden_activation: expected one of silu, swish, swiglu, relu2, relu_sqr, found 'gelu'"),
    ({"bitnet.attention.head_count_kv": 4},
     "bitnet.hidden_activation is missing, and the shape does not tell (general.architecture 'bitnet', general.name "
     "'made'): give --activation relu2 or --activation silu"),
    ({"tokenizer.ggml.bos_token_id": 41}, "config: bos_id must lie within the vocabulary of 41, got 41"),
])
def test_what_is_refused_is_named(changes, message):
    with pytest.raises(ModelError) as error:
        read(fields_of(GGUF, "bitnet") | changes)
    assert str(error.value) == f"{PATH}: {message}"


def test_an_activation_that_contradicts_the_file_is_refused():
    with pytest.raises(ModelError, match="--activation silu: the file has relu2"):
        read(fields_of(GGUF, "bitnet") | {"bitnet.hidden_activation": "relu2"}, activation="silu")
    with pytest.raises(ModelError, match="--activation relu2: the file has silu"):
        read(fields_of(GGUF_LLAMA, "llama"), GGUF_LLAMA, activation="relu2")


def test_scaling_by_nothing_is_no_scaling():
    fields = {"bitnet.rope.scaling.type": "linear", "bitnet.rope.scaling.factor": 1.0, "bitnet.expert_count": 0}
    assert read(fields_of(GGUF, "bitnet") | fields) == GGUF
