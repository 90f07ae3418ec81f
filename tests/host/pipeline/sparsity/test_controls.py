"""Controls: what random masks depend on, and that the oracle's errors are least."""

from itertools import combinations

import numpy as np
import pytest

from host.pipeline.site import Point, Site
from host.pipeline.sparsity.oracle import Oracle
from host.pipeline.sparsity.random_per_token import RandomPerToken
from host.pipeline.sparsity.wina import Wina
from models.errors import ArtefactError, OptionError
from models.golden.norm_quant import quantise
from models.golden.scalar import Scalar, from_word, to_float
from tests.families import FAMILIES
from tests.host.pipeline.sparsity.masks import fitted, model_of, seen

FAMILY = "silu full heads"
CONFIG = FAMILIES[FAMILY]
POINT = Point(1, Site.DOWN)


def unit_of(rows):
    return Scalar(np.full(rows, 1 << 23), np.full(rows, -20))


def rows_of(rng, rows=4):
    return rng.integers(-2**24, 2**24, (rows, CONFIG.ffn_size))


def test_a_token_has_its_channels_wherever_it_stands(rng):
    stage, model, x = fitted("random-per-token", FAMILY, sites="down"), model_of(FAMILY), rows_of(rng)
    found = stage.apply(POINT, x, unit_of(4), model)
    for row in range(4):
        assert (stage.apply(POINT, x[row:row + 1], unit_of(1), model) == found[row]).all()
    masks = (found != 0).astype(int)
    assert masks.sum(axis=1).tolist() == [CONFIG.ffn_size - round(0.7 * CONFIG.ffn_size)] * 4
    assert (masks[0] != masks[1]).mean() > 0.3  # 0.42 of channels for two masks of 0.3 drawn apart
    other = RandomPerToken({**stage.tensors, "seeds": stage.tensors["seeds"] + 1})
    for again in (other.apply(POINT, x, unit_of(4), model), stage.apply(Point(0, Site.DOWN), x, unit_of(4), model)):
        assert ((again != 0) != (found != 0)).mean() > 0.3


def test_random_channels_are_among_those_that_int8_leaves(rng):
    stage, x = fitted("random-per-token", FAMILY, 0.5, sites="down"), rows_of(rng)
    x[:, ::4] = 3
    found = stage.apply(POINT, x, unit_of(4), model_of(FAMILY))
    assert (found[:, ::4] == 0).all() and (found != 0).sum(axis=1).tolist() == [CONFIG.ffn_size // 2] * 4


def test_fixed_channels_are_silent_in_every_row(rng):
    stage, x = fitted("fixed-random", FAMILY, sites="down"), rows_of(rng)
    silent = stage.apply(POINT, x, unit_of(4), model_of(FAMILY)) == 0
    assert (silent == silent[0]).all() and silent[0].sum() == round(0.7 * CONFIG.ffn_size)


def output_error(x, found, name, model):
    linear = model.layers[1].linears[name]
    return np.square((x - found) @ linear.trits().T * float(to_float(from_word(linear.scale)))).sum(axis=1)


@pytest.mark.parametrize("site, readers", [("down", ["down"]), ("qkv", ["q", "k", "v"])])
def test_the_oracles_error_is_below_that_of_a_norm(rng, site, readers):
    model, point = model_of(FAMILY), Point(1, site)
    x = rng.integers(-2**24, 2**24, (4, model.layers[1].linears[readers[0]].inputs))
    shares = {"shares": np.full((2, 4), 0.6)}
    q = quantise(x, unit_of(4))[0]
    error = {}
    for cls in (Oracle, Wina):
        stays = cls(shares).apply(point, x, unit_of(4), model) != 0
        assert stays.sum(axis=1).max() <= round(0.4 * x.shape[1])
        error[cls] = sum(output_error(q, np.where(stays, q, 0), name, model) for name in readers)
    assert (error[Oracle] < error[Wina]).all() and error[Oracle].sum() < 0.85 * error[Wina].sum()


def test_the_oracle_takes_the_best_channel_each_time(rng):
    """Of few channels: the first is the cheapest, the second the cheapest behind it."""
    model, ffn = model_of(FAMILY), CONFIG.ffn_size
    x = np.zeros((1, ffn), np.int64)
    x[0, :9] = rng.integers(1, 128, 9)
    x[0, 9] = 127
    keep = {gone: Oracle({"shares": np.full((2, 4), (ffn - 10 + gone) / ffn)}).apply(POINT, x, unit_of(1), model)
            for gone in (1, 2)}
    lost = {gone: tuple(np.flatnonzero((x - keep[gone])[0])) for gone in keep}

    def error(channels):
        found = x.copy()
        found[0, list(channels)] = 0
        return output_error(x, found, "down", model)[0]

    assert error(lost[1]) == min(error(some) for some in combinations(range(10), 1))
    assert set(lost[1]) < set(lost[2])
    assert error(lost[2]) == min(error((*lost[1], other)) for other in set(range(10)) - set(lost[1]))


def test_seeds_are_whole_numbers():
    twin, inputs = seen(FAMILY)
    with pytest.raises(OptionError, match="--seed must lie between 0 and 16777216, got -1"):
        RandomPerToken.fit_layers(twin, inputs, [0.5, 0.5], seed=-1)
    for seed in (0.5, -1):
        with pytest.raises(ArtefactError, match="tensor seeds: expected whole numbers from 0 to 16777216"):
            RandomPerToken.load({"shares": np.zeros((2, 4)), "seeds": np.full(2, seed)})
