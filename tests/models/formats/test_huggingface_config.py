import json

import pytest

from models.config import ModelConfig
from models.errors import ModelError
from models.formats.huggingface_config import Storage, read_config
from tests.models.formats.folders import config_json
from tests.models.small import PLAIN, SMALL


def parse(folder, data, *, sub_norms=False, own_head=False):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(data))
    return read_config(folder / "config.json", sub_norms=sub_norms, own_head=own_head)


@pytest.mark.parametrize("config", [SMALL, PLAIN], ids=lambda c: c.name)
def test_every_family(tmp_path, config):
    assert parse(tmp_path / config.name, config_json(config))[0] == config


@pytest.mark.parametrize(("quantisation", "storage"), [
    ({"linear_class": "autobitlinear", "quantization_mode": "online"}, Storage(packed=False, scale_divides=False)),
    ({"linear_class": "autobitlinear", "quantization_mode": "offline"}, Storage(packed=True, scale_divides=False)),
    ({"linear_class": "bitlinear", "quantization_mode": "offline"}, Storage(packed=True, scale_divides=True)),
    ({"modules_to_not_convert": ["lm_head", None, "", "lm_head", "model.norm"]},
     Storage(packed=None, scale_divides=True, unconverted=("lm_head", "model.norm"))),
])
def test_storage(tmp_path, quantisation, storage):
    data = config_json(PLAIN, quantization_config={"quant_method": "bitnet"} | quantisation)
    assert parse(tmp_path, data)[1] == storage


def test_1bitllm_says_bits_and_its_architecture_has_sub_norms(tmp_path):
    data = config_json(SMALL, model_type="llama", architectures=["BitnetForCausalLM"], quantization_config=...,
                       weight_bits=1, input_bits=8)
    config, storage = parse(tmp_path / "small", data)
    assert config == SMALL
    assert storage == Storage(packed=False, scale_divides=False)


@pytest.mark.parametrize("place", [
    {"rope_parameters": {"rope_type": "default", "rope_theta": 123.0}},
    {"rope_parameters": ..., "rope_theta": 123.0},
    {"rope_parameters": {"rope_theta": 123.0}, "rope_theta": 123.0, "rope_scaling": None},
])
def test_theta_in_either_place(tmp_path, place):
    assert parse(tmp_path, config_json(SMALL, **place))[0].rope_theta == 123.0


def test_what_may_be_absent(tmp_path):
    data = config_json(PLAIN, head_dim=..., num_key_value_heads=..., tie_word_embeddings=..., bos_token_id=...,
                       eos_token_id=...)
    for own_head in (False, True):
        expected = ModelConfig(**vars(PLAIN) | {"tied_head": not own_head})
        assert parse(tmp_path / "plain", data, own_head=own_head)[0] == expected


def test_end_tokens_of_both_files_are_joined(tmp_path):
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [5, 3]}))
    assert parse(tmp_path, config_json(SMALL, eos_token_id=3))[0].eos_ids == (3, 5)


QUANTISED = {"quant_method": "bitnet"}


@pytest.mark.parametrize(("changes", "message"), [
    ({"model_type": "tritloom-bitnet", "norm": "other"}, "config: norm must be one of rmsnorm, seednorm, got 'other'"),
    ({"model_type": ["gpt2"]}, "model_type: expected bitnet, llama or qwen3, found ['gpt2']"),
    ({"model_type": "gpt2"}, "model_type: expected bitnet, llama or qwen3, found 'gpt2'"),
    ({"hidden_size": ...}, "hidden_size is missing"),
    ({"hidden_act": "gelu"}, "config: activation must be one of relu2, silu, ash, crrelu, spark, x-cos, got 'gelu'"),
    ({"hidden_act": "ash"}, "hidden_act: expected one of relu2, silu, found 'ash'"),
    ({"num_hidden_layers": "two"}, "config: layers must be a positive integer, got 'two'"),
    ({"attention_bias": True}, "attention_bias: expected no bias, found True"),
    ({"mlp_bias": True}, "mlp_bias: expected no bias, found True"),
    ({"head_dim": ..., "num_attention_heads": 5},
     "num_attention_heads: expected a divisor of hidden_size 24, as head_dim is absent, found 5"),
    ({"bos_token_id": 41}, "config: bos_id must lie within the vocabulary of 41, got 41"),
    ({"rope_parameters": ...}, "rope_theta is missing"),
    ({"rope_theta": 3.0}, "rope_theta: expected 10000.0 as in rope_parameters, found 3.0"),
    ({"rope_scaling": {"type": "linear", "factor": 2.0}},
     "rope_scaling: expected RoPE without scaling, found 'linear'"),
    ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8}},
     "rope_parameters: expected RoPE without scaling, found 'llama3'"),
    ({"rope_scaling": [1]}, "rope_scaling: expected an object, found [1]"),
    ({"partial_rotary_factor": 0.5}, "partial_rotary_factor: expected RoPE over the whole head, found 0.5"),
    ({"quantization_config": ...},
     "quantization_config: expected a ternary model: quant_method bitnet, or weight_bits 1 and input_bits 8, "
     "found None"),
    ({"quantization_config": ..., "weight_bits": 4, "input_bits": 8},
     "quantization_config: expected a ternary model: quant_method bitnet, or weight_bits 1 and input_bits 8, "
     "found (4, 8)"),
    ({"model_type": "qwen3_next"}, "model_type: expected bitnet, llama or qwen3, found 'qwen3_next': hybrid attention "
                                   "with linear layers, which the machine does not compute"),
    ({"model_type": "hgrn_bit"}, "model_type: expected bitnet, llama or qwen3, found 'hgrn_bit': a recurrence in place "
                                 "of attention, which the machine does not compute"),
    ({"use_sliding_window": True}, "use_sliding_window: expected attention to all tokens before, found True"),
    ({"layer_types": ["full_attention", "linear_attention"]},
     "layer_types: expected full_attention alone, found ['linear_attention']"),
    ({"layer_types": 3}, "layer_types: expected full_attention alone, found 3"),
    ({"model_type": "qwen3", "quantization_config": ..., "quantization": {"bits": 2, "group_size": 128}},
     "quantization_config: expected a ternary model: quant_method bitnet, or weight_bits 1 and input_bits 8, found "
     "None"),
    ({"quantization_config": {"quant_method": "gptq"}}, "quant_method: expected bitnet, found 'gptq'"),
    ({"quantization_config": QUANTISED | {"linear_class": "x"}},
     "linear_class: expected bitlinear or autobitlinear, found 'x'"),
    ({"quantization_config": QUANTISED | {"quantization_mode": "x"}},
     "quantization_mode: expected online or offline, found 'x'"),
    ({"quantization_config": QUANTISED | {"use_rms_norm": True}},
     "use_rms_norm: expected no norm inside the linear layers, found True"),
    ({"quantization_config": QUANTISED | {"modules_to_not_convert": 3}},
     "modules_to_not_convert: expected a list of names, found 3"),
    ({"quantization_config": QUANTISED | {"modules_to_not_convert": ["lm_head", 3]}},
     "modules_to_not_convert: expected a list of names, found ['lm_head', 3]"),
    ({"eos_token_id": [[1], [1]]}, "config: eos_ids must lie within the vocabulary of 41, got [1]"),
])
def test_what_is_refused_is_named(tmp_path, changes, message):
    with pytest.raises(ModelError) as error:
        parse(tmp_path, config_json(SMALL, **changes))
    assert str(error.value) == f"{tmp_path / 'config.json'}: {message}"


@pytest.mark.parametrize(("text", "message"), [
    ("{", "cannot be read as JSON"), ("[]", "expected a JSON object, found list"), (None, "no such file")])
def test_unreadable_files_are_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=f"config.json: {message}"):
        read_config(tmp_path / "config.json", sub_norms=False, own_head=False)
