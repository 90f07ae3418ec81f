"""Shares of zeros by site: their weighted mean is what was asked for, and what hurts least goes first."""

import numpy as np
import pytest

from host.pipeline.sparsity.allocation import allocate
from host.pipeline.sparsity.teal import Teal
from host.pipeline.sparsity.wina import Wina
from models.errors import OptionError
from tests.host.pipeline.sparsity.masks import seen

SITES = ["qkv", "o", "gate_up", "down"]


@pytest.mark.parametrize("sparsity", [0.02, 0.3337, 0.9])
def test_the_mean_over_the_weights_is_the_sparsity(sparsity):
    twin, inputs = seen("relu2 grouped heads")
    layer, [x, _] = twin.layers[0], inputs

    def dropping(site, rows):
        return lambda share: rows * share

    shares = allocate(layer, x, sparsity, SITES, dropping, "all alike")
    size = {site: sum(layer.linears[name].trits.size for name in names.split())
            for site, names in zip(SITES, ("q k v", "o", "gate up", "down"), strict=True)}
    assert np.isclose(sum(size[site] * shares[site] for site in SITES), sparsity * sum(size.values()))
    assert allocate(layer, x, 0.35, ["o"], dropping, "one") == {"o": pytest.approx(0.35)}


def test_a_site_whose_loss_costs_nothing_goes_first():
    twin, inputs = seen("relu2 grouped heads")

    def dropping(site, rows):
        return lambda share: rows * (share if site != "o" else 0)

    shares = allocate(twin.layers[0], inputs[0], 0.05, SITES, dropping, "o for nothing")
    assert shares["o"] > 0 and not any(shares[site] for site in SITES if site != "o")


@pytest.mark.parametrize("cls, tensor", [(Teal, "thresholds"), (Wina, "shares")])
def test_sites_may_be_chosen_and_shares_have_bounds(cls, tensor):
    twin, inputs = seen("relu2 grouped heads")
    found = cls.fit_layers(twin, inputs, [0.4, 0.4], sites="down,o")[tensor]
    assert not found[:, [0, 2]].any() and found[:, [1, 3]].sum(axis=1).all()
    with pytest.raises(OptionError, match="sparsity must lie between 0 and 0.95, got 0.95"):
        cls.fit_layers(twin, inputs, [0.4, 0.95])
