"""Shares of zeros by site: their weighted mean is what was asked for, and what hurts least goes first."""

from dataclasses import replace

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

    shares = allocate(layer, x, sparsity, SITES, dropping, "all alike", twin.config)
    size = {site: sum(layer.linears[name].trits.size for name in names.split())
            for site, names in zip(SITES, ("q k v", "o", "gate up", "down"), strict=True)}
    assert np.isclose(sum(size[site] * shares[site] for site in SITES), sparsity * sum(size.values()))
    assert allocate(layer, x, 0.35, ["o"], dropping, "one", twin.config) == {"o": pytest.approx(0.35)}


def test_a_site_whose_loss_costs_nothing_goes_first():
    twin, inputs = seen("relu2 grouped heads")

    def dropping(site, rows):
        return lambda share: rows * (share if site != "o" else 0)

    shares = allocate(twin.layers[0], inputs[0], 0.05, SITES, dropping, "o for nothing", twin.config)
    assert shares["o"] > 0 and not any(shares[site] for site in SITES if site != "o")


def test_what_counts_is_the_output_of_the_layer():
    """All sites lose the same part of their products; the feed-forward block adds next to nothing to the residual."""
    twin, inputs = seen("relu2 grouped heads")
    layer = twin.layers[0]
    layer = replace(layer, linears=layer.linears | {"down": replace(layer.linears["down"], scale=1e-6)})

    def dropping(site, rows):
        return lambda share: rows * share

    shares = allocate(layer, inputs[0], 0.3, SITES, dropping, "an idle block", twin.config)
    assert shares["gate_up"] + shares["down"] > 0.3 and not shares["qkv"] and not shares["o"]


def test_the_last_quarter_of_the_positions_counts():
    twin, inputs = seen("relu2 grouped heads")
    last = len(inputs[0].residual) * 3 // 4

    def dropping(site, rows):
        early = np.arange(len(rows))[:, None] < last
        return lambda share: rows * share * (early if site == "o" else 1)

    shares = allocate(twin.layers[0], inputs[0], 0.05, SITES, dropping, "early", twin.config)
    assert shares["o"] > 0 and not any(shares[site] for site in SITES if site != "o")


@pytest.mark.parametrize("cls, tensor", [(Teal, "thresholds"), (Wina, "shares")])
def test_sites_may_be_chosen_and_shares_have_bounds(cls, tensor):
    twin, inputs = seen("relu2 grouped heads")
    found = cls.fit_layers(twin, inputs, [0.4, 0.4], sites="down,o")[tensor]
    assert not found[:, [0, 2]].any() and found[:, [1, 3]].sum(axis=1).all()
    with pytest.raises(OptionError, match="sparsity must lie between 0 and 0.95, got 0.95"):
        cls.fit_layers(twin, inputs, [0.4, 0.95])
    alone = cls.fit_layers(twin, inputs, [0.4, 0.97], sites="down")[tensor]  # nothing is shared out
    assert np.isfinite(alone).all() and alone[1, 3] > 0 and not alone[:, :3].any()
