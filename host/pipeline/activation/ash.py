"""ASH, adaptive Swish: g * sigmoid(2 * alpha * (g - mean - z * deviation)), both of the token's gates.

z says from which percentile on a gate passes, were they Gaussian. Source: "Stochastic Adaptive Activation Function".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.activation.function import MultiplyingFunction
from host.pipeline.mantissas import check_magnitudes
from host.pipeline.site import Point
from models.config import ModelConfig
from models.errors import ArtefactError
from models.golden.activations import Z_FRACTION, ash
from models.golden.scalar import Scalar

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Ash"]

_Z_BELOW = 8


class Ash(MultiplyingFunction):
    """alpha, z: float [layers]."""

    method = "ash"

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"alpha": (config.layers,), "z": (config.layers,)}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`."""
        check_magnitudes("alpha", np.abs(tensors["alpha"]), 1.0)
        z = tensors["z"]
        if (np.abs(np.rint(z * 2**Z_FRACTION)) >= _Z_BELOW << Z_FRACTION).any():
            raise ArtefactError(f"tensor z: expected magnitudes below {_Z_BELOW}, found {z[np.abs(z).argmax()]}")
        return super().load(tensors, strength)

    def multiplier(self, point: Point, gate: np.ndarray, unit: Scalar) -> np.ndarray:
        """See `MultiplyingFunction`."""
        z = int(np.rint(self.tensors["z"][point.layer] * 2**Z_FRACTION))
        return ash(gate, unit, float(self.tensors["alpha"][point.layer]), z)
