"""Shares of zeros for the sites of a layer: the site whose output suffers least for what it saves goes next.

Source: TEAL's greedy allocation; WINA uses the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from host.pipeline.site import Site
from host.pipeline.sparsity.fitted_mask import LayerInputs
from models.formats.source import FloatLayer

__all__ = ["MOST", "READERS", "Dropping", "allocate", "site_weights"]

READERS = {Site.QKV: ("q", "k", "v"), Site.O: ("o",), Site.GATE_UP: ("gate", "up"), Site.DOWN: ("down",)}
"""The matrices that read a linear input."""

_STEPS = 20  # shares tried at a site: multiples of a twentieth
MOST = 1 - 1 / _STEPS
_ROWS = 256  # tokens on which an error is measured

Dropping = Callable[[Site, np.ndarray], Callable[[float], np.ndarray]]
"""Of rows at a site: what a mask of a share of zeros takes away of them, zero where it keeps a value."""


def allocate(layer: FloatLayer, inputs: LayerInputs, sparsity: float, sites: Sequence[Site], dropping: Dropping,
             name: str) -> dict[Site, float]:
    """Shares of zeros by site whose mean, weighted by the weights that read a site, is `sparsity`.

    name: of `dropping`, by which its errors are kept with the inputs.
    """
    if len(sites) == 1:
        return {sites[0]: sparsity}
    grid = np.arange(_STEPS) / _STEPS
    for site in sites:
        if (name, site) not in inputs.memo:
            inputs.memo[name, site] = _errors(layer, site, inputs[site], grid, dropping)
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


def site_weights(layer: FloatLayer, site: Site) -> list[np.ndarray]:
    """The matrices that read a site: float32 [channels, outputs] each."""
    return [layer.linears[name].trits.T.astype(np.float32) * np.float32(layer.linears[name].scale)
            for name in READERS[site]]


def _errors(layer: FloatLayer, site: Site, x: np.ndarray, grid: np.ndarray, dropping: Dropping) -> np.ndarray:
    """Relative squared error of the site's products at each share."""
    rows = x[np.linspace(0, len(x) - 1, min(_ROWS, len(x))).astype(int)]
    weights, dropped = site_weights(layer, site), dropping(site, rows)
    total = sum(float(np.square(rows @ w).sum()) for w in weights)
    lost = [dropped(share) for share in grid.tolist()]
    return np.array([sum(float(np.square(x @ w).sum()) for w in weights) for x in lost]) / max(total, 1e-30)
