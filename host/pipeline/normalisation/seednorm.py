"""SeeDNorm: a norm whose gains follow the input, trained with its model.

    y = [tanh(x . beta) * alpha + gamma] * x / sqrt(mean(x**2) + eps)

x is the residual in the float model's units; gamma are the checkpoint's gains. The channels are divided among heads,
each with its own dot product and tanh. Source: "SeeDNorm: Self-Rescaled Dynamic Normalization".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from host.pipeline.fitting import Fitted
from host.pipeline.mantissas import check_magnitudes, to_mantissas
from host.pipeline.normalisation.norm import Normalisation
from host.pipeline.site import Point
from host.pipeline.trained import TRAINED_OPTIONS, fit_trained
from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import ArtefactError
from models.golden.norm_quant import norm_constants
from models.golden.scalar import Scalar
from models.golden.seednorm import Rescaling, seednorm
from models.model import Gains

__all__ = ["SeeDNorm"]


class SeeDNorm(Normalisation):
    """alpha, beta: float [layers, 2, hidden], of the norms before attention and before the feed-forward; heads: float
    [1], an integer that divides the channels. Strength scales alpha; at 0 it is RMSNorm."""

    method, options = "seednorm", TRAINED_OPTIONS

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self._rescalings: dict[Point, Rescaling] = {}

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        size = (config.layers, len(SeeDNorm.sites), config.hidden_size)
        return {"alpha": size, "beta": size, "heads": (1,)}

    @classmethod
    def fit(cls, model: Model, *, checkpoint: Path) -> Fitted:  # type: ignore[override]  # `options` by name
        """What training left beside the checkpoint that `model` was converted from."""
        return fit_trained(model, checkpoint, cls.method, model.config.norm, cls.shapes(model.config))

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> SeeDNorm:
        """See `Stage`."""
        heads, channels = float(tensors["heads"][0]), tensors["alpha"].shape[-1]
        if heads < 1 or heads % 1 or channels % heads:
            raise ArtefactError(f"tensor heads: expected a divisor of the {channels} channels, found {heads:g}")
        check_magnitudes("alpha", np.abs(tensors["alpha"]).max(axis=-1), strength)
        check_magnitudes("beta", np.abs(tensors["beta"]).max(axis=-1), 1.0)
        return cls(tensors, strength)

    def normalise(self, point: Point, x: np.ndarray, unit: Scalar, gains: Gains | None,
                  model: Model) -> tuple[np.ndarray, Scalar]:
        """See `Normalisation`."""
        if point not in self._rescalings:
            self._rescalings[point] = self._rescaling(point)
        mantissas, exponent = gains
        constants = norm_constants(x.shape[-1], exponent, model.config.rms_eps)
        return seednorm(x, unit, mantissas, exponent, constants, self._rescalings[point])

    def _rescaling(self, point: Point) -> Rescaling:
        place = point.layer, self.sites.index(point.site)
        (alpha, alpha_exponent), (beta, beta_exponent) = (
            to_mantissas(values, 32767) for values in (self.tensors["alpha"][place] * self.strength,
                                                       self.tensors["beta"][place]))
        return Rescaling(alpha.astype(np.int16), alpha_exponent, beta.astype(np.int16), beta_exponent,
                         int(self.tensors["heads"][0]))
