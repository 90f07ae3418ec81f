"""RMSNorm, y = gain * x / sqrt(mean(x**2) + eps): the norm of every BitNet checkpoint, and the fabric's.

It runs wherever no other norm is chosen.
"""

from __future__ import annotations

import numpy as np

from host.pipeline.normalisation.norm import Normalisation
from host.pipeline.site import Point
from models.checkpoint import Model
from models.config import ModelConfig
from models.golden.norm_quant import norm_constants, normalise
from models.golden.scalar import Scalar, to_word
from models.model import Gains

__all__ = ["RMSNorm"]


class RMSNorm(Normalisation):
    """The golden model's norm; it has no parameters but the model's gains and eps."""

    method, in_fabric = "rmsnorm", True

    def __init__(self, tensors: dict[str, np.ndarray] | None = None, strength: float = 1.0):
        super().__init__(tensors or {}, strength)

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {}

    def normalise(self, point: Point, x: np.ndarray, unit: Scalar, gains: Gains | None,
                  model: Model) -> tuple[np.ndarray, Scalar]:
        """See `Normalisation`; gains None: nothing but the units change."""
        mantissas, exponent = gains if gains is not None else (None, 0)
        constants = norm_constants(x.shape[-1], exponent, model.config.rms_eps if gains is not None else None)
        return normalise(x, unit, mantissas, constants)

    @staticmethod
    def fields(channels: int, gain_exponent: int | None, eps: float) -> dict[str, int]:
        """Its fields of a NORM descriptor; gain_exponent None: no norm at this place."""
        present = gain_exponent is not None
        constants = norm_constants(channels, gain_exponent or 0, eps if present else None)
        return {"rms": int(present), "gained": int(present), "gain": int(to_word(constants.gain)),
                "eps_sum": int(to_word(constants.eps_sum)) if constants.eps_sum is not None else 0}
