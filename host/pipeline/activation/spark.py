"""Spark's statistical top-k as it is trained in: ReLU**2 of max(g - theta, 0), theta = mean + z * deviation.

Mean and deviation are those of the token's gates, z is PhiInv(1 - k / n): were the gates normal, k of n would pass. The
soft threshold shifts what passes, so a model must be trained with it; on others `host.pipeline.sparsity.spark` masks.
theta is at least 0 here, so that a masked gate stays zero. Source: Spark Transformer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.activation.function import ActivationFunction
from host.pipeline.site import Point
from models.config import ModelConfig
from models.errors import ArtefactError
from models.golden.activations import Z_FRACTION, soft_threshold
from models.golden.scalar import Scalar, mul

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SparkFunction"]

_Z_BELOW = 8


class SparkFunction(ActivationFunction):
    """z: float [layers]."""

    method = "spark"

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"z": (config.layers,)}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`."""
        z = tensors["z"]
        if (np.abs(np.rint(z * 2**Z_FRACTION)) >= _Z_BELOW << Z_FRACTION).any():
            raise ArtefactError(f"tensor z: expected magnitudes below {_Z_BELOW}, found {z[np.abs(z).argmax()]}")
        return super().load(tensors, strength)

    def activated(self, point: Point, gate: np.ndarray, unit: Scalar) -> tuple[np.ndarray, Scalar]:
        """See `ActivationFunction`."""
        passed = soft_threshold(gate, int(np.rint(self.tensors["z"][point.layer] * 2**Z_FRACTION)))
        return passed * passed, mul(unit, unit)
