"""g * cos(g): the function that genetic programming found on the HIGGS data. It has no parameters.

Source: "Neuro-Symbolic Activation Discovery", whose authors name this formula.
"""

from __future__ import annotations

import numpy as np

from host.pipeline.activation.function import MultiplyingFunction
from host.pipeline.site import Point
from models.config import ModelConfig
from models.golden.activations import x_cos
from models.golden.scalar import Scalar

__all__ = ["XCos"]


class XCos(MultiplyingFunction):
    """No tensors; an artefact says that a model was trained with it."""

    method = "x-cos"

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {}

    def multiplier(self, point: Point, gate: np.ndarray, unit: Scalar) -> np.ndarray:
        """See `MultiplyingFunction`."""
        return x_cos(gate, unit)
