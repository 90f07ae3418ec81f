"""What a mask takes from the products of the matrices behind it, on rows of the plain model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from host.pipeline.measuring import Rows
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.allocation import READERS
from host.pipeline.stage import Stage
from models.checkpoint import Model
from models.golden.scalar import from_word, to_float

__all__ = ["layer_error"]


def layer_error(stage: Stage, model: Model, captured: Mapping[Point, Rows]) -> float:
    """Relative, in L2: for each linear input in `captured` the root of the sum of squares lost over that of the
    products; their mean. captured: with the gates, which a mask may act on instead.
    """
    errors, acts = [], set(stage.points(model))
    for point in sorted(point for point in captured if point.site != Site.GATE):
        values, unit = captured[point]
        kept = stage.apply(point, values, unit, model) if point in acts else values
        if (gate := Point(point.layer, Site.GATE)) in acts and point.site == Site.DOWN:
            sums = captured[gate]
            kept = np.where((stage.apply(gate, *sums, model) == 0) & (sums.rows != 0), 0, kept)
        scale, lost, whole = to_float(unit)[:, None], 0.0, 0.0
        for name in READERS[Site(point.site)]:
            linear = model.layers[point.layer].linears[name]
            weights = linear.trits().T * float(to_float(from_word(linear.scale)))
            lost += float(np.square(((values - kept) * scale) @ weights).sum())
            whole += float(np.square((values * scale) @ weights).sum())
        errors.append((lost / max(whole, 1e-300)) ** 0.5)
    return float(np.mean(errors)) if errors else 0.0
