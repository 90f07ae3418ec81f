"""Exact top-k after the activation: of `down`'s input the k largest magnitudes stay.

It acts behind the sub-norm, so the norm sees all neurons, and its gains count in the order. Source: the Lazy Neuron
Phenomenon's top-k Transformer; there k is the same in all layers, as here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from host.pipeline.site import Point, Site
from host.pipeline.sparsity.fitted_mask import LayerInputs
from host.pipeline.sparsity.ranked_mask import RankedMask, largest
from models.checkpoint import Model
from models.config import ModelConfig
from models.formats.source import FloatLayer
from models.golden.scalar import Scalar

__all__ = ["TopK"]


class TopK(RankedMask):
    """shares: float [layers, 1] of `down`'s channels that become zero, 1 - k / channels; strength scales them."""

    method, sites = "top-k", (Site.DOWN,)

    @classmethod
    def fit_layer(cls, layer: FloatLayer, inputs: LayerInputs, sparsity: float, config: ModelConfig,
                  options: Mapping[str, object]) -> dict[str, np.ndarray]:
        """See `FittedMask`; the text decides nothing."""
        return {"shares": np.array([sparsity])}

    def keeps(self, point: Point, x: np.ndarray, unit: Scalar, model: Model, kept: int) -> np.ndarray:
        return largest(np.abs(x), kept)
