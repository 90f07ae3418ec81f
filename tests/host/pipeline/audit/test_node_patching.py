"""Patching of nodes: exact and float, and what estimates it."""

import numpy as np
import pytest

from host.pipeline.audit.node_patching import ExactPatching, FloatPatching, Node, nodes_of
from host.pipeline.audit.prompt_pairs import PromptPair
from host.pipeline.site import Point, Site
from models.synth import synthetic_model
from tests.families import FAMILIES

pytest.importorskip("torch")

from models.train.initial import network_of
from models.train.relevance import GRADIENTS, RELEVANCE

MODEL = synthetic_model(FAMILIES["relu2 grouped heads"], seed=1)
PAIR = PromptPair([4, 8, 15, 16, 23, 42, 7], [4, 8, 15, 99, 23, 42, 7], 3, (12, 80))
NODES = nodes_of(MODEL, PAIR)
LAST = Point(1, Site.RESIDUAL)


def test_nodes_are_those_that_the_word_reaches():
    assert len(NODES) == 2 * 3 * 4 and {node.position for node in NODES} == {3, 4, 5, 6}


def test_patching_the_end_gives_the_other_prompt_and_beside_it_nothing():
    exact, floats = ExactPatching(MODEL), FloatPatching(network_of(MODEL))
    clean, corrupted = (exact.logits(ids) for ids in (PAIR.clean, PAIR.corrupted))
    whole = (corrupted[12] - corrupted[80]) - (clean[12] - clean[80])
    nodes = [Node(LAST, 6), Node(LAST, 5)]
    assert np.allclose(exact.effects(PAIR, nodes), [whole, 0], atol=1e-9) and abs(whole) > 0.5
    whole = floats_at_end(PAIR.corrupted)["output"] - floats_at_end(PAIR.clean)["output"]
    assert np.allclose(floats.effects(PAIR, nodes), [whole, 0], atol=1e-4)
    assert exact.best_next(PAIR.clean) == clean.argmax()


def test_the_float_network_agrees_node_by_node():
    exact, floats = (each.effects(PAIR, NODES) for each in (ExactPatching(MODEL), FloatPatching(network_of(MODEL))))
    assert np.corrcoef(exact, floats)[0, 1] > 0.9 and np.count_nonzero(exact) > len(NODES) // 2


def test_estimates_are_changes_times_coefficients():
    floats = FloatPatching(network_of(MODEL))
    node = [Node(LAST, 6)]
    by_gradient, by_relevance = (floats.estimates(PAIR, node, rules)[0] for rules in (GRADIENTS, RELEVANCE))
    # behind the last layer only the norm's factor is not linear; RelP holds it
    clean, corrupted = floats_at_end(PAIR.clean), floats_at_end(PAIR.corrupted)
    factor = np.sqrt(clean["rms"] / corrupted["rms"])
    assert np.isclose(by_relevance, corrupted["output"] / factor - clean["output"], rtol=1e-3)
    assert not np.isclose(by_gradient, by_relevance, rtol=1e-2)
    control = floats.estimates(PAIR, NODES, GRADIENTS, seed=1)
    assert np.array_equal(control, floats.estimates(PAIR, NODES, GRADIENTS, seed=1))
    assert not np.allclose(control, floats.estimates(PAIR, NODES, GRADIENTS))


def test_a_neuron_is_patched_alone():
    exact, floats = ExactPatching(MODEL), FloatPatching(network_of(MODEL))
    nodes = floats.neurons(PAIR, 12, seed=1)
    assert len(set(nodes)) == 12 and all(node.point.site == Site.DOWN and node.position >= 3 for node in nodes)
    assert nodes == floats.neurons(PAIR, 12, seed=1) != floats.neurons(PAIR, 12, seed=2)
    assert nodes[0].patch(np.zeros(160), np.ones(160)).nonzero()[0].tolist() == [nodes[0].channel]
    by_exact, by_float = exact.effects(PAIR, nodes), floats.effects(PAIR, nodes)
    assert by_exact.shape == by_float.shape == (12,) and by_exact.any() and by_float.any()
    whole = [node._replace(channel=None) for node in nodes[:1]]
    every = [nodes[0]._replace(channel=channel) for channel in range(160)]
    assert np.isclose(floats.estimates(PAIR, every, RELEVANCE).sum(), floats.estimates(PAIR, whole, RELEVANCE)[0])


def floats_at_end(ids):
    """The float network's output, and the mean square of its last residual."""
    import torch

    from models.train.relevance import run
    seen = {}

    def keep(layer, site, x):
        seen[layer, site] = x
        return x

    logits = run(network_of(MODEL), torch.tensor([ids]), change=keep)[0]
    return {"output": float(logits[12] - logits[80]), "rms": float(seen[1, "residual"][0, -1].square().mean())}
