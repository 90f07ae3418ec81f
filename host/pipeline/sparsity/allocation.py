"""Shares of zeros for the sites of a layer: the site goes next that costs the layer's output least for what it saves.

The error is that of the residual behind the whole layer, squared, over the last quarter of the positions, so errors of
all sites have one unit. A step at a site is worth what it adds to it, over the weights that it saves. The source tries
each step together with those taken before; here the errors of sites are taken to add up, which needs each site's alone.
Source: TEAL's greedy allocation and its code; WINA uses the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from host.pipeline.site import Site
from host.pipeline.sparsity.fitted_mask import LayerInputs
from models.config import ModelConfig
from models.float_twin import float_layer
from models.formats.source import FloatLayer

__all__ = ["MOST", "READERS", "Dropping", "allocate", "most_of", "site_weights"]

READERS = {Site.QKV: ("q", "k", "v"), Site.O: ("o",), Site.GATE_UP: ("gate", "up"), Site.DOWN: ("down",)}
"""The matrices that read a linear input."""

_STEPS = 20  # shares tried at a site: multiples of a twentieth
MOST = 1 - 1 / _STEPS
"""The highest of them."""
_LAST = 4  # of the positions a quarter

Dropping = Callable[[Site, np.ndarray], Callable[[float], np.ndarray]]
"""Of rows at a site: what a mask of a share of zeros takes away of them, zero where it keeps a value."""


def allocate(layer: FloatLayer, inputs: LayerInputs, sparsity: float, sites: Sequence[Site], dropping: Dropping,
             name: str, config: ModelConfig) -> dict[Site, float]:
    """Shares of zeros by site whose mean, weighted by the weights that read a site, is `sparsity`.

    name: of `dropping`, by which its errors are kept with the inputs.
    """
    if len(sites) == 1:
        return {sites[0]: sparsity}
    grid = np.arange(_STEPS) / _STEPS
    for site in sites:
        if (name, site) not in inputs.memo:
            inputs.memo[name, site] = _errors(layer, site, inputs.residual, grid, dropping, config)
    errors = {site: inputs.memo[name, site] for site in sites}
    size = {site: sum(layer.linears[name].trits.size for name in READERS[site]) for site in sites}
    level = dict.fromkeys(sites, 0)
    whole, last = sum(size.values()), sites[0]
    while (above := sum(size[s] * grid[level[s]] for s in sites) - sparsity * whole) < -1e-9:
        open_sites = [s for s in sites if level[s] + 1 < _STEPS]
        cost = {s: (errors[s][level[s] + 1] - errors[s][level[s]]) / size[s] for s in open_sites}
        last = min(open_sites, key=cost.__getitem__)
        level[last] += 1
    shares = {site: float(grid[level[site]]) for site in sites}
    shares[last] -= max(above, 0) / size[last]  # of the last step as much as it takes
    return shares


def most_of(sites: Sequence[Site]) -> float:
    """The share of zeros must lie below, where it is shared out among sites: one alone takes any."""
    return 1.0 if len(sites) == 1 else MOST


def site_weights(layer: FloatLayer, site: Site) -> list[np.ndarray]:
    """The matrices that read a site: float32 [channels, outputs] each."""
    return [layer.linears[name].trits.T.astype(np.float32) * np.float32(layer.linears[name].scale)
            for name in READERS[site]]


def _errors(layer: FloatLayer, site: Site, residual: np.ndarray, grid: np.ndarray, dropping: Dropping,
            config: ModelConfig) -> np.ndarray:
    """Squared error of the layer's output at each share of zeros at a site."""
    taken: list[Callable[[float], np.ndarray]] = []

    def plain(at: str, x: np.ndarray) -> np.ndarray:
        if at == site:
            taken.append(dropping(site, x))
        return x

    def without(share: float) -> np.ndarray:
        return float_layer(config, layer, residual, lambda at, x: x - taken[0](share) if at == site else x)[first:]

    first = len(residual) - -(-len(residual) // _LAST)
    whole = float_layer(config, layer, residual, plain)[first:]
    return np.array([float(np.square(without(share) - whole).sum()) for share in grid.tolist()])
