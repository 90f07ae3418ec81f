"""Jacobians of layers at the last token: those of the whole layer, and of the right layer."""

import numpy as np
import pytest

from models.synth import synthetic_model
from tests.families import FAMILIES

torch = pytest.importorskip("torch")

from models.train.initial import network_of  # noqa: E402
from models.train.jacobians import jacobians, mean_jacobians  # noqa: E402
from models.train.network import BitNet  # noqa: E402
from models.train.recipe import Shape  # noqa: E402

IDS = [5, 9, 2, 60, 1, 77, 30]


def test_they_are_those_of_the_whole_layer():
    torch.manual_seed(1)
    network = BitNet(Shape(vocab=130, hidden=32, ffn=48, layers=3, heads=2, kv_heads=1, head_dim=16, context=32))
    network.eval().requires_grad_(False)
    found = jacobians(network, IDS)
    assert found.shape == (2, 32, 32)
    cos, sin = network.cos[:len(IDS)], network.sin[:len(IDS)]
    x = network.model.embed_tokens(torch.tensor([IDS]))
    for index, layer in enumerate(network.model.layers):
        if index:
            whole = torch.autograd.functional.jacobian(lambda x, layer=layer: layer(x, cos, sin, torch.float32)[0], x)
            assert np.allclose(found[index - 1], whole[0, -1, :, 0, -1], atol=1e-5)
        x = layer(x, cos, sin, torch.float32)[0]
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_the_mean_is_over_passages():
    model = synthetic_model(FAMILIES["relu2 grouped heads"], seed=1)
    parts = [jacobians(network_of(model), ids) for ids in (IDS, IDS[::-1])]
    assert np.allclose(mean_jacobians(model, [IDS, IDS[::-1]]), (parts[0] + parts[1]) / 2)
