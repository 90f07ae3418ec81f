"""An exported folder gives back the very same network."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from models.train.export import export, load  # noqa: E402


def test_logits_survive_the_folder_exactly(network, tokenizer, tmp_path):
    export(network, tokenizer, tmp_path)
    restored, read = load(tmp_path)
    ids = torch.tensor([read.encode("It was the best").ids])
    with torch.no_grad():
        assert torch.equal(network(ids), restored(ids))
    assert restored.shape == network.shape


def test_the_folder_speaks_hugging_face(network, tokenizer, tmp_path):
    export(network, tokenizer, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "bitnet" and config["hidden_act"] == "relu2"
    assert config["quantization_config"]["quantization_mode"] == "online"
    names = set(network.state_dict())
    assert "lm_head.weight" not in names
    for name in ("self_attn.q_proj.weight", "self_attn.attn_sub_norm.weight", "mlp.ffn_sub_norm.weight"):
        assert f"model.layers.1.{name}" in names
