"""The network against the recorded logits of transformers, and its causality."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

from models.train.network import BitNet  # noqa: E402
from models.train.recipe import Shape  # noqa: E402

FIXTURE = next(
    (p / "shared/fixtures/relu2_gqa" for p in Path(__file__).parents if (p / "shared/fixtures").is_dir()),
    None,
)


@pytest.mark.skipif(FIXTURE is None, reason="no fixtures beside the checkout")
def test_logits_equal_those_of_transformers():
    folder = FIXTURE / "hf_bf16_online"
    config = json.loads((folder / "config.json").read_text())
    shape = Shape(
        vocab=config["vocab_size"], hidden=config["hidden_size"], ffn=config["intermediate_size"],
        layers=config["num_hidden_layers"], heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"], context=config["max_position_embeddings"],
        rope_theta=config["rope_parameters"]["rope_theta"],
    )  # fmt: skip
    network = BitNet(shape).eval()
    network.load_state_dict(
        {k: v.float() for k, v in safetensors_torch.load_file(folder / "model.safetensors").items()}
    )
    expected = np.load(FIXTURE / "logits_float32.npy").reshape(-1, shape.vocab)
    ids = torch.from_numpy(np.load(FIXTURE / "ids.npy").astype(np.int64)).reshape(1, -1)
    with torch.no_grad():
        logits = network(ids)[0].numpy()
    cosine = (logits * expected).sum(1) / np.linalg.norm(logits, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosine.mean() > 0.9999 and cosine.min() > 0.999


def test_a_later_token_changes_nothing_before_it(network):
    ids = torch.randint(280, (1, 20), generator=torch.Generator().manual_seed(0))
    other = ids.clone()
    other[0, 12] = (other[0, 12] + 1) % 280
    with torch.no_grad():
        a, b = network(ids), network(other)
    assert torch.equal(a[0, :12], b[0, :12])
    assert not torch.equal(a[0, 12:], b[0, 12:])


def test_bfloat16_products_stay_close_to_float32(network):
    ids = torch.randint(280, (2, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = network(ids)
        network.dtype = torch.bfloat16
        quick = network(ids)
    assert torch.nn.functional.cosine_similarity(exact, quick, dim=-1).min() > 0.99
