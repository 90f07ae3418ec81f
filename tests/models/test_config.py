import json

import pytest

from models.config import DEMO, PRESETS, SHIPPED, ModelConfig, resolve_model
from models.errors import ModelError

SMALL = dict(name="small", vocab_size=32, hidden_size=24, ffn_size=40, layers=2, heads=4, kv_heads=2,
             head_dim=8, activation="relu2", sub_norms=True, tied_head=True, rope_theta=1e4, rms_eps=1e-5,
             context=16, bos_id=0, eos_ids=(1, 2))


@pytest.mark.parametrize("config", [ModelConfig(**SMALL), ModelConfig(**SMALL, norm="seednorm"), *PRESETS.values()])
def test_json_round_trip(config):
    assert ModelConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_the_norm_of_most_models_is_not_written():
    assert "norm" not in ModelConfig(**SMALL).to_json()


def test_linear_shapes_follow_the_heads_not_the_hidden_size():
    shapes = ModelConfig(**SMALL).linear_shapes
    assert shapes == {"q": (32, 24), "k": (16, 24), "v": (16, 24), "o": (24, 32),
                      "gate": (40, 24), "up": (40, 24), "down": (24, 40)}


def test_gain_sizes():
    plain = {"input": 24, "post_attention": 24}
    assert ModelConfig(**SMALL).gain_sizes == plain | {"attn_sub": 32, "ffn_sub": 40}
    assert ModelConfig(**SMALL | {"sub_norms": False}).gain_sizes == plain


@pytest.mark.parametrize(("name", "millions"), [("bitnet-0.73b", 729), ("bitnet-2b4t", 2413), ("falcon3-1b", 1669)])
def test_presets_have_the_published_size(name, millions):
    assert round(PRESETS[name].parameters / 1e6) == millions


@pytest.mark.parametrize(("change", "message"), [
    ({"name": 3}, "config: name must be a string, got 3"),
    ({"layers": 0}, "config: layers must be a positive integer, got 0"),
    ({"context": 1.5}, "config: context must be a positive integer, got 1.5"),
    ({"vocab_size": True}, "config: vocab_size must be a positive integer, got True"),
    ({"kv_heads": 3}, "config: heads must be a multiple of kv_heads, got 4 and 3"),
    ({"head_dim": 7}, "config: head_dim must be even, got 7"),
    ({"activation": "gelu"}, "config: activation must be one of relu2, silu, ash, crrelu, spark, x-cos, got 'gelu'"),
    ({"norm": "layernorm"}, "config: norm must be one of rmsnorm, seednorm, got 'layernorm'"),
    ({"sub_norms": 1}, "config: sub_norms must be true or false, got 1"),
    ({"rope_theta": float("nan")}, "config: rope_theta must be a positive number that a scalar word holds, got nan"),
    ({"rms_eps": 0.0}, "config: rms_eps must be a positive number that a scalar word holds, got 0.0"),
    ({"bos_id": 32}, "config: bos_id must lie within the vocabulary of 32, got 32"),
    ({"eos_ids": (1, -1)}, "config: eos_ids must lie within the vocabulary of 32, got -1"),
    ({"eos_ids": 3}, "config: eos_ids must be a tuple, got 3"),
])
def test_bad_values_are_named(change, message):
    with pytest.raises(ModelError) as error:
        ModelConfig(**SMALL | change)
    assert str(error.value) == message


def test_constants_are_floats_however_they_were_written():
    theta = ModelConfig(**SMALL | {"rope_theta": 10**30}).rope_theta
    assert theta == 1e30 and isinstance(theta, float)


def test_from_json_names_missing_and_unknown_fields():
    data = ModelConfig(**SMALL).to_json()
    with pytest.raises(ModelError, match="^config: heads is missing$"):
        ModelConfig.from_json({k: v for k, v in data.items() if k != "heads"})
    with pytest.raises(ModelError, match="^config: unknown field experts$"):
        ModelConfig.from_json(data | {"experts": 8})
    with pytest.raises(ModelError, match="^config: expected an object, got list$"):
        ModelConfig.from_json([])


def test_resolve_model(tmp_path):
    assert resolve_model(tmp_path) == tmp_path
    assert resolve_model("demo") == DEMO
    assert resolve_model("bilingual") == SHIPPED["bilingual"]
    with pytest.raises(ModelError, match="no model folder at .*missing"):
        resolve_model(tmp_path / "missing")
    with pytest.raises(ModelError, match="bitnet-2b4t is a shape without weights"):
        resolve_model("bitnet-2b4t")


def test_shipped_models_are_whole_and_small():
    for name, folder in SHIPPED.items():
        names = {path.name for path in folder.iterdir()}
        template = {"chat.json"} if name == "chat" else set()
        assert names == {"model.json", "model.safetensors", "tokenizer.json"} | template
        assert sum(path.stat().st_size for path in folder.iterdir()) < 3e6
