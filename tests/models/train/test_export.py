"""An exported folder gives back the very same network."""

import json
from dataclasses import replace

import pytest

from models.errors import ModelError

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.torch import load_file  # noqa: E402

from models.train.export import export, load  # noqa: E402
from models.train.network import BitNet  # noqa: E402


def test_logits_survive_the_folder_exactly(network, tokenizer, tmp_path):
    export(network, tokenizer, tmp_path)
    restored, read = load(tmp_path)
    ids = torch.tensor([read.encode("It was the best").ids])
    with torch.no_grad():
        assert torch.equal(network(ids), restored(ids))
    assert restored.shape == network.shape


def test_what_stages_compute_lies_beside_the_checkpoint(network, tokenizer, tmp_path):
    seen = BitNet(replace(network.shape, norm="seednorm", norm_heads=2)).eval()
    with torch.no_grad():
        for parameter in seen.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.1)
    export(seen, tokenizer, tmp_path)
    restored, _ = load(tmp_path)
    ids = torch.arange(20)[None]
    with torch.no_grad():
        assert torch.equal(seen(ids), restored(ids))
    assert restored.shape == seen.shape
    stage, checkpoint = (load_file(tmp_path / f"{name}.safetensors") for name in ("seednorm", "model"))
    assert {name: list(tensor.shape) for name, tensor in stage.items()} == {
        "alpha": [2, 2, 64], "beta": [2, 2, 64], "heads": [1]}
    assert torch.equal(stage["beta"][1, 0], seen.model.layers[1].input_layernorm.beta)
    assert torch.equal(stage["alpha"][0, 1], seen.model.layers[0].post_attention_layernorm.alpha)
    assert checkpoint.keys() == network.state_dict().keys()
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["model_type"], config["norm"], config["norm_heads"]) == ("tritloom-bitnet", "seednorm", 2)
    (tmp_path / "seednorm.safetensors").unlink()
    with pytest.raises(ModelError, match="is no model that was trained here"):
        load(tmp_path)


@pytest.mark.parametrize("activation, parts", [("silu", None), ("ash", {"alpha", "z"}), ("crrelu", {"epsilon"}),
                                               ("spark", {"z"}), ("x-cos", set())])
def test_activation_functions_lie_beside_it_unless_the_fabric_has_them(network, tokenizer, tmp_path, activation, parts):
    variant = BitNet(replace(network.shape, activation=activation, kept=0.2)).eval()
    with torch.no_grad():
        for parameter in variant.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.1)
    export(variant, tokenizer, tmp_path)
    restored, _ = load(tmp_path)
    with torch.no_grad():
        assert torch.equal(variant(torch.arange(20)[None]), restored(torch.arange(20)[None]))
    config, file = json.loads((tmp_path / "config.json").read_text()), tmp_path / f"{activation}.safetensors"
    assert config["hidden_act"] == activation and file.exists() == (parts is not None)
    assert config["model_type"] == ("bitnet" if parts is None else "tritloom-bitnet")
    if parts is not None:
        assert {name: tensor.shape for name, tensor in load_file(file).items()} == dict.fromkeys(parts, (2,))


def test_the_folder_speaks_hugging_face(network, tokenizer, tmp_path):
    export(network, tokenizer, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "bitnet" and config["hidden_act"] == "relu2"
    assert config["quantization_config"]["quantization_mode"] == "online"
    names = set(network.state_dict())
    assert "lm_head.weight" not in names
    for name in ("self_attn.q_proj.weight", "self_attn.attn_sub_norm.weight", "mlp.ffn_sub_norm.weight"):
        assert f"model.layers.1.{name}" in names
