"""How many gates the statistical top-k keeps of those that it was asked to keep, on a text that it was not fitted to.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from host.pipeline.measuring import Sessions, measure
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.fitted_mask import LayerFits, LayerInputs
from host.pipeline.sparsity.paired import BLOCK, paired_difference
from host.pipeline.sparsity.spark import Spark
from models.checkpoint import Model
from models.formats.source import FloatModel
from models.golden.scalar import Scalar

__all__ = ["KEPT", "KeptGates", "kept_gates"]

KEPT = (0.5, 0.3, 0.1)


class KeptGates(NamedTuple):
    """Of n gates k / n are asked for. mean: the share kept over all layers; worst: that of the layer furthest off.
    error: of mean, its standard error over blocks of tokens; None where there are no two."""

    quantile: str
    asked: float
    mean: float
    worst: float
    error: float | None = None


def kept_gates(model: Model, twin: FloatModel, inputs: Sequence[LayerInputs], ids: Sequence[int],
               sessions: Sessions | None = None) -> list[KeptGates]:
    """With the normal distribution's quantile and with a text's. ids: another text, which the plain model reads."""
    layers = range(model.config.layers)
    stages = {(quantile, asked): _stage(LayerFits(Spark, twin, inputs, {"quantile": quantile}), 1 - asked, len(layers))
              for quantile in ("normal", "text") for asked in KEPT}
    counts = {key: [[] for _ in layers] for key in stages}

    def look(layer: int, point: Point, rows: np.ndarray, unit: Scalar) -> None:
        for key, stage in stages.items():
            counts[key][layer].append(stage.keeps(layer, rows).mean(axis=1))

    measure(model, [], ids, points=(), looks={Point(layer, Site.GATE): partial(look, layer) for layer in layers},
            sessions=sessions)
    return [_found(*key, np.array([np.concatenate(of_layer) for of_layer in counts[key]])) for key in stages]


def _stage(fits: LayerFits, sparsity: float, layers: int) -> Spark:
    stage = fits([sparsity] * layers)
    assert isinstance(stage, Spark)
    return stage


def _found(quantile: str, asked: float, shares: np.ndarray) -> KeptGates:
    """shares: [layers, tokens]."""
    tokens = shares.mean(axis=0)
    error = paired_difference(tokens.tolist(), [asked] * len(tokens)).error if len(tokens) >= 2 * BLOCK else None
    return KeptGates(quantile, asked, float(tokens.mean()),
                     max(shares.mean(axis=1).tolist(), key=lambda share: abs(share - asked)), error)
