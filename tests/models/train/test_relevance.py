"""Coefficients of relevance: values as they are, gradients where no rule acts, and nothing lost where all do."""

import numpy as np
import pytest

from models.synth import synthetic_model
from tests.families import FAMILIES

torch = pytest.importorskip("torch")

from models.train.initial import network_of  # noqa: E402
from models.train.network import BitNet  # noqa: E402
from models.train.recipe import Shape  # noqa: E402
from models.train.relevance import GRADIENTS, RELEVANCE, SITES, Rules, coefficients, run  # noqa: E402

IDS = torch.tensor([[5, 9, 2, 60, 1, 77, 30]])


def small(activation="relu2"):
    torch.manual_seed(2)
    network = BitNet(Shape(vocab=130, hidden=64, ffn=96, layers=3, heads=4, kv_heads=2, head_dim=16, context=32,
                           activation=activation)).eval().requires_grad_(False)
    network.model.embed_tokens.weight.mul_(4)
    for layer in network.model.layers:
        layer.self_attn.q_proj.weight.mul_(200)  # so that attention's weights are far from even
    return network


def first_logits(logits):
    return logits[0, 3] - logits[0, 8]


@pytest.mark.parametrize("rules", [GRADIENTS, RELEVANCE])
@pytest.mark.parametrize("name", ["relu2 grouped heads", "one head"])
def test_rules_change_no_value(rules, name):
    network = network_of(synthetic_model(FAMILIES[name], seed=1))
    ids = IDS % 33
    assert torch.allclose(run(network, ids, rules), network(ids)[:, -1], rtol=1e-4, atol=1e-3)


def test_without_rules_they_are_gradients():
    network = small()
    values, found = coefficients(network, IDS, first_logits, GRADIENTS)
    assert set(found) == {(layer, site) for layer in range(3) for site in SITES}
    cos, sin = network.cos[:7], network.sin[:7]
    x = values[0, "residual"].clone().requires_grad_()
    y = x
    for layer in network.model.layers[1:]:
        y = layer(y, cos, sin, torch.float32)[0]
    output = first_logits((network.model.norm(y) @ network.model.embed_tokens.weight.T)[:, -1])
    assert torch.allclose(found[0, "residual"], torch.autograd.grad(output, x)[0], atol=1e-4)


def left(rules, activation="relu2"):
    """Of the output, what values times coefficients add up to behind the first layer."""
    network = small(activation)
    values, found = coefficients(network, IDS, first_logits, rules)
    return float((values[0, "residual"] * found[0, "residual"]).sum() / first_logits(run(network, IDS)))


@pytest.mark.parametrize("activation", ["relu2", "silu"])
def test_relevance_is_conserved_at_every_depth_but_for_rounding(activation):
    network = small(activation)
    values, found = coefficients(network, IDS, first_logits, RELEVANCE)
    output = float(first_logits(run(network, IDS)))
    for layer in range(3):
        assert np.isclose(float((values[layer, "residual"] * found[layer, "residual"]).sum()), output, rtol=0.04)


@pytest.mark.parametrize("rule", ["norms", "activations", "weights", "products"])
def test_it_takes_every_rule(rule):
    assert abs(left(RELEVANCE._replace(**{rule: False})) - 1) > 0.2 > 10 * abs(left(RELEVANCE) - 1)


def test_a_change_takes_the_value_s_place():
    network = small()
    plain = run(network, IDS)
    changed = run(network, IDS, change=lambda layer, site, x: x * (0 if (layer, site) == (1, "down") else 1))
    assert not torch.allclose(plain, changed)
    assert torch.equal(run(network, IDS, Rules(), lambda layer, site, x: x * 1), plain)
