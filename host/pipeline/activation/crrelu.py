"""CRReLU, corrected ReLU: max(0, g) + epsilon * g * exp(-g**2 / 2).

Negative gates are no longer zero, so it costs native sparsity. Source: "A Method on Searching Better Activation
Functions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.activation.function import MultiplyingFunction
from host.pipeline.site import Point
from models.config import ModelConfig
from models.errors import ArtefactError
from models.golden.activations import EPSILON_BITS, crrelu
from models.golden.scalar import Scalar

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["CRReLU"]

_FRACTION = 16
_LARGEST = (1 << (EPSILON_BITS - 1)) - 1


class CRReLU(MultiplyingFunction):
    """epsilon: float [layers]."""

    method = "crrelu"

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"epsilon": (config.layers,)}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`."""
        epsilon = tensors["epsilon"]
        if (np.abs(np.rint(epsilon * 2**_FRACTION)) > _LARGEST).any():
            worst = epsilon[np.abs(epsilon).argmax()]
            raise ArtefactError(f"tensor epsilon: expected magnitudes below 8, found {worst}")
        return super().load(tensors, strength)

    def multiplier(self, point: Point, gate: np.ndarray, unit: Scalar) -> np.ndarray:
        """See `MultiplyingFunction`."""
        return crrelu(gate, unit, int(np.rint(self.tensors["epsilon"][point.layer] * 2**_FRACTION)))
