"""Exact zeros: channels of a linear input that int8 makes zero anyway, made zero before.

No bit of a result changes, which is the point: it says what a mask may do for nothing, and it is what other masks'
shares of zeros start from. On the CPU alone, since it follows from a row's largest value, which a tap does not know.
"""

from __future__ import annotations

import numpy as np

from host.pipeline.fitting import Fitted
from host.pipeline.site import LINEAR_INPUTS, Point
from host.pipeline.stage import Order, Stage
from models.checkpoint import Model
from models.config import ModelConfig
from models.golden.norm_quant import quantise
from models.golden.scalar import Scalar

__all__ = ["Zeros"]


class Zeros(Stage):
    """It has no parameters; its artefact holds no tensors, and strength means nothing."""

    kind, method, order, sites = "sparsity", "zeros", Order.MASK, LINEAR_INPUTS
    options = {}

    def __init__(self, tensors: dict[str, np.ndarray] | None = None, strength: float = 1.0):
        super().__init__(tensors or {}, strength)

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {}

    @classmethod
    def fit(cls, model: Model, **options: object) -> Fitted:
        """See `Stage`."""
        return Fitted({})

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        return np.where(quantise(x, unit)[0] == 0, 0, x)
