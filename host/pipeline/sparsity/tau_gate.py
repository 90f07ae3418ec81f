"""TauGate: a threshold and a gain for each channel of `down`'s input: y_j = g_j * x_j where |x_j| > tau_j, else 0.

The paper trains both by gradient behind a soft gate. Fitted here without training: tau_j = c / |W_j|, so that what is
dropped adds least to the output's error, with c from the share of zeros; then all gains of a layer together by least
squares, so that the matrix' output comes nearest to the dense one's, drawn towards 1. A product has a sign, so the
threshold is on the magnitude. It is one tap: the threshold acts behind the gain there and is g_j * tau_j. Source:
Dopamine (Brain Modes, Not Brains).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.mantissas import check_magnitudes, to_mantissas
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.allocation import site_weights
from host.pipeline.sparsity.fitted_mask import FittedMask, LayerInputs, check_strength
from host.pipeline.stage import Order
from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import ArtefactError
from models.formats.source import FloatLayer
from models.golden.tap import GAIN_ONE, Tap, neutral_tap

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["TauGate"]

_MOST_GAIN = 32767 / GAIN_ONE
_TOWARDS_ONE = 0.1  # of a channel's own square
_LEAST_NORM = 1 / 16  # of the largest: a threshold keeps 12 of its 16 bits


class TauGate(FittedMask):
    """thresholds, gains: float [layers, ffn]; strength s scales the thresholds, and a gain is 1 + s * (g - 1)."""

    method, order, sites = "tau-gate", Order.GAIN, (Site.DOWN,)

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self.gains = 1 + strength * (self.tensors["gains"] - 1)
        self.thresholds = self.tensors["thresholds"] * strength

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"thresholds": (config.layers, config.ffn_size), "gains": (config.layers, config.ffn_size)}

    @classmethod
    def fit_layer(cls, layer: FloatLayer, inputs: LayerInputs, sparsity: float, config: ModelConfig,
                  options: Mapping[str, object]) -> dict[str, np.ndarray]:
        """See `FittedMask`."""
        x, [weights] = inputs[Site.DOWN], site_weights(layer, Site.DOWN)
        norms = np.linalg.norm(weights, axis=1)
        norms = np.maximum(norms, max(float(norms.max()) * _LEAST_NORM, 1e-30))
        thresholds = np.quantile(np.abs(x) * norms, sparsity) / norms
        return {"thresholds": thresholds, "gains": _gains(weights, x, np.where(np.abs(x) > thresholds, x, 0))}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`."""
        check_strength("thresholds", tensors["thresholds"], strength)
        stage = cls(tensors, strength)
        for gains in (stage.tensors["gains"], stage.gains):
            if (wrong := gains[(gains < 0) | (gains > _MOST_GAIN)]).size:
                raise ArtefactError(f"tensor gains: expected values from 0 to {_MOST_GAIN:.3f}, found {wrong[0]}")
        check_magnitudes("thresholds", tensors["thresholds"], strength)
        return stage

    def lower(self, point: Point, model: Model) -> Tap:
        gains = np.rint(np.ldexp(self.gains[point.layer], GAIN_ONE.bit_length() - 1)).astype(np.int16)
        mantissas, exponent = to_mantissas(self.thresholds[point.layer] * (gains / GAIN_ONE), 65535)
        return replace(neutral_tap(model.config.ffn_size), gain=gains, threshold=mantissas.astype(np.uint16),
                       threshold_exponent=exponent)


def _gains(weights: np.ndarray, dense: np.ndarray, masked: np.ndarray) -> np.ndarray:
    """float64 [channels]: gains of masked rows for which the output is nearest to that of dense ones.

    The sum over rows of |(g * masked - dense) @ weights|**2 has the normal equations A g = b, A = (W Wt) * (Mt M) and
    b = the row sums of (W Wt) * (Mt D), elementwise products.
    """
    weights, dense, masked = (array.astype(np.float64) for array in (weights, dense, masked))
    gram = weights @ weights.T
    left, right = gram * (masked.T @ masked), (gram * (masked.T @ dense)).sum(axis=1)
    own = _TOWARDS_ONE * np.diag(left) + 1e-12 * max(float(np.diag(left).max()), 1e-30)
    gains = np.linalg.solve(left + np.diag(own), right + own)
    return np.clip(gains, 0, _MOST_GAIN)
