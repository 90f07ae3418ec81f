"""CETT, the yardstick of masks on neurons: how much of the feed-forward block's output is in what they drop.

Of a token |sum over dropped neurons of h_i * W_down_i| / |sum over all of them|, its mean over a text, layer by layer.
h is `down`'s input behind the sub-norm in the plain model, the weights are the ternary ones; both as the devices have
them. Any method is measured by it, whatever it decides by. Source: Sparsing Law (cumulative errors of tail truncation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from host.pipeline.measuring import Rows, capture
from host.pipeline.site import Point, Site
from host.pipeline.stage import Stage
from models.checkpoint import Model
from models.errors import OptionError
from models.golden.scalar import to_float

__all__ = ["NEURON_SITES", "capture_neurons", "cett"]

NEURON_SITES = (Site.GATE, Site.PRODUCT, Site.DOWN)
"""Where a channel is a neuron of the feed-forward block."""


def capture_neurons(model: Model, ids: Sequence[int]) -> Mapping[Point, Rows]:
    """What `cett` needs of a text."""
    return capture(model, [Point(layer, site) for layer in range(model.config.layers) for site in NEURON_SITES], ids)


def cett(stage: Stage, model: Model, captured: Mapping[Point, Rows]) -> np.ndarray:
    """float64 [layers]; 0 where the stage drops nothing. captured: of `capture_neurons`."""
    points = [point for point in stage.points(model) if point.site in NEURON_SITES]
    if not points:
        raise OptionError(f"{stage.kind} by {stage.method} acts on no neurons: it has no CETT")
    found = np.zeros(model.config.layers)
    for layer in sorted({point.layer for point in points}):
        values, unit = captured[Point(layer, Site.DOWN)]
        gone = np.zeros(values.shape, bool)
        for point in points:
            if point.layer == layer:
                before = captured[point]
                gone |= (stage.apply(point, *before, model) == 0) & (before.rows != 0)
        weights = model.layers[layer].linears["down"].trits().T.astype(np.float64)
        inputs = values * to_float(unit)[:, None]
        whole, lost = (np.linalg.norm(rows @ weights, axis=1) for rows in (inputs, inputs * gone))
        some = whole > 0
        found[layer] = (lost[some] / whole[some]).mean() if some.any() else 0
    return found
