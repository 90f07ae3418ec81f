"""A head that is taken out is out: in the golden model's bits too. Matched draws are of the same layers."""

import numpy as np
import pytest

from host.pipeline.heads.ablation import Ablated, Head, all_heads, matched_draws
from host.scoring import token_losses
from models.golden.model import GoldenModel, TapPoint
from models.synth import synthetic_model
from tests.families import FAMILIES

CONFIG = FAMILIES["relu2 grouped heads"]
IDS = [5, 17, 99, 3, 64, 5, 17]


def golden_losses(model, layer, channels, value):
    """By the definition: the channels in front of the output matrix are set to a value."""
    def stage(x, unit):
        x = x.copy()
        x[:, channels] = np.rint(np.asarray(value)[channels] / np.ldexp(unit.m.astype(float), unit.e - 23)[:, None])
        return x

    golden = GoldenModel(model, stages={TapPoint(layer, "o"): [stage]})
    return token_losses(np.stack([golden.step(token) for token in IDS[:-1]]), np.array(IDS[1:]))


@pytest.mark.parametrize("mean", [None, 0.25])
def test_it_is_the_golden_model_with_those_channels_set(mean):
    model = synthetic_model(CONFIG, seed=2)
    means = None if mean is None else np.full((CONFIG.layers, CONFIG.attention_size), mean)
    ablated, size = Ablated(model, means), CONFIG.head_dim
    channels = np.r_[0:size, 2 * size:3 * size]
    value = np.full(CONFIG.attention_size, mean or 0.0)
    found = ablated.losses([Head(1, 0), Head(1, 2)], IDS)
    assert found == pytest.approx(golden_losses(model, 1, channels, value), abs=1e-4)
    plain = ablated.losses([], IDS)
    assert plain == pytest.approx(golden_losses(model, 1, np.arange(0), value), abs=1e-9)
    assert np.abs(found - plain).max() > 1e-2
    assert (ablated.losses([Head(0, 1)], IDS) != found).any()


def test_draws_are_of_the_same_layers_without_the_heads_themselves():
    heads = [Head(0, 1), Head(1, 0), Head(1, 3)]
    draws = matched_draws(CONFIG, heads, 9, 0)
    assert len(draws) == len(set(draws)) == 9 and not {head for draw in draws for head in draw} & set(heads)
    for index, draw in enumerate(draws):  # one of three, and the two that are left; then any
        assert len(draw) == 3 and ([head.layer for head in draw] == [0, 1, 1]) == (index < 3)
    assert matched_draws(CONFIG, heads, 2, 1) == matched_draws(CONFIG, heads, 2, 1)


def test_what_a_layer_cannot_give_comes_from_others():
    heads = [Head(1, head) for head in range(3)]
    for draw in matched_draws(CONFIG, heads, 4, 0):
        assert len(draw) == 3 and Head(1, 3) in draw and sum(head.layer == 0 for head in draw) == 2
    assert matched_draws(CONFIG, all_heads(CONFIG), 4, 0) == []
