"""Spark's statistical top-k: of a row's gate sums those stay that reach mean + z * deviation, z = PhiInv(1 - k / n).

Were the sums normal, k of n would stay; nothing is sorted, two sums are enough. Those of a trained model are skewed and
have long tails, so by default z comes from a text instead: the quantile of its (g - mean) / deviation in each layer
above which k / n of them lie.

It is a mask, not the paper's soft threshold max(g - theta, 0), which shifts what stays and needs a model trained with
it: a sum below becomes 0, which either activation makes a product of 0. In integers, with the sums saturated to 21 bits
as the product takes them: S = sum of g, V = n * sum of g**2 - S**2 (so sqrt(V) is n deviations), and g stays where
(n * g - S) * 2**16 >= z * 2**16 * sqrt(V), exactly, by an integer root. Source: Spark Transformer; Gemma 3n's released
code takes the same deviation, over n and not n - 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.fitting import FitOption
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.fitted_mask import MASK_OPTIONS, SPARSITY, FittedMask, LayerInputs
from host.pipeline.sparsity.gates import gate_and_up
from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import ArtefactError, OptionError
from models.formats.source import FloatLayer
from models.golden.deviation import sums_and_variances
from models.golden.gated import GATE_BITS
from models.golden.rounding import saturate
from models.golden.scalar import Scalar

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Spark", "at_least"]

_FRACTION = 16  # of a quantile
_LARGEST = 8


class Spark(FittedMask):
    """quantiles: float [layers, 1], z of each layer within ±8, in 16 fraction bits; a strength of 1 alone makes
    sense."""

    method, sites = "spark", (Site.GATE,)
    options = {"sparsity": SPARSITY, **MASK_OPTIONS,
               "quantile": FitOption(str, "text", "z of the text's gates, or normal: that of a normal distribution")}

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self.quantiles = [round(value) for value in np.ldexp(self.tensors["quantiles"][:, 0], _FRACTION).tolist()]

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"quantiles": (config.layers, 1)}

    @classmethod
    def fit_layer(cls, layer: FloatLayer, inputs: LayerInputs, sparsity: float, config: ModelConfig,
                  options: Mapping[str, object]) -> dict[str, np.ndarray]:
        """See `FittedMask`; `sparsity` is the share of gates below."""
        if (source := options.get("quantile", "text")) not in ("normal", "text"):
            raise OptionError(f"--quantile is normal or text, got {source!r}")
        if source == "normal":
            return {"quantiles": np.array([NormalDist().inv_cdf(sparsity)])}
        gate, _ = gate_and_up(layer, inputs[Site.GATE_UP])
        deviations = np.maximum(gate.std(axis=1, keepdims=True), 1e-30)
        scores = (gate - gate.mean(axis=1, keepdims=True)) / deviations
        return {"quantiles": np.clip([np.quantile(scores, sparsity)], -_LARGEST, _LARGEST)}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`."""
        if (largest := np.abs(tensors["quantiles"]).max()) > _LARGEST:
            raise ArtefactError(f"tensor quantiles: expected values within ±{_LARGEST}, found one of {largest}")
        if strength != 1:
            raise ArtefactError(f"tensor quantiles: its strength must be 1, got {strength}")
        return cls(tensors, strength)

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        return np.where(self.keeps(point.layer, x), x, 0)

    def keeps(self, layer: int, x: np.ndarray) -> np.ndarray:
        """Bool [rows, channels]: the gates that stay, of a layer's sums int64 [rows, channels]."""
        z, n, gates = self.quantiles[layer], x.shape[-1], saturate(x, GATE_BITS)
        total, variances = sums_and_variances(gates)
        least = [at_least(z, variance) for variance in variances]
        scaled = (n * gates - total[:, None]) << _FRACTION
        return scaled >= np.array(least, np.int64)[:, None]


def at_least(z: int, variance: int) -> int:
    """The least integer that is not below z * sqrt(variance)."""
    root = math.isqrt(z * z * variance)
    if z <= 0:
        return -root
    return root + (root * root < z * z * variance)
