"""How many gates the statistical top-k keeps of those that it was asked to keep, on a text that it was not fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from host.pipeline.measuring import Rows
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.fitted_mask import LayerFits, LayerInputs
from host.pipeline.sparsity.spark import Spark
from models.checkpoint import Model
from models.formats.source import FloatModel

__all__ = ["KEPT", "KeptGates", "kept_gates"]

KEPT = (0.5, 0.3, 0.1)


class KeptGates(NamedTuple):
    """Of n gates k / n are asked for. mean: the share kept over all layers; worst: that of the layer furthest off."""

    quantile: str
    asked: float
    mean: float
    worst: float


def kept_gates(model: Model, twin: FloatModel, inputs: Sequence[LayerInputs], captured: Mapping[Point, Rows]
               ) -> list[KeptGates]:
    """With the normal distribution's quantile and with a text's. captured: the gates' sums of another text."""
    found = []
    for quantile in ("normal", "text"):
        fits = LayerFits(Spark, twin, inputs, {"quantile": quantile})
        for asked in KEPT:
            stage = fits([1 - asked] * model.config.layers)
            assert isinstance(stage, Spark)
            shares = [float(stage.keeps(layer, captured[Point(layer, Site.GATE)].rows).mean())
                      for layer in range(model.config.layers)]
            found.append(KeptGates(quantile, asked, float(np.mean(shares)),
                                   max(shares, key=lambda share: abs(share - asked))))
    return found
