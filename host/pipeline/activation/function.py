"""What an activation function is: a stage that gives, for every gate sum, what `up` multiplies."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.fitting import Fitted
from host.pipeline.site import Point, Site
from host.pipeline.stage import Order, Stage
from host.pipeline.trained import TRAINED_OPTIONS, fit_trained
from models.checkpoint import Model
from models.errors import ArtefactError
from models.golden.activations import multiplied
from models.golden.scalar import Scalar

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ActivationFunction", "MultiplyingFunction"]


class ActivationFunction(Stage):
    """A function f(g) instead of the model's, behind all stages that act on the gate's sums.

    The gated product is then made on the CPU: `models.golden.activations.activated_product`. It was trained with the
    model.
    """

    kind, order, sites = "activation", Order.ACTIVATION, (Site.GATE,)
    options = TRAINED_OPTIONS

    @classmethod
    def fit(cls, model: Model, *, checkpoint: Path) -> Fitted:  # type: ignore[override]  # `options` by name
        """What training left beside the checkpoint that `model` was converted from."""
        return fit_trained(model, checkpoint, cls.method, model.config.activation, cls.shapes(model.config))

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`; there are no strengths between two functions."""
        if strength != 1:
            raise ArtefactError(f"an activation function has no strength but 1, got {strength}")
        return cls(tensors)

    @abstractmethod
    def activated(self, point: Point, gate: np.ndarray, unit: Scalar) -> tuple[np.ndarray, Scalar]:
        """f of gate sums int64 [rows, channels], |gate| < 2**20, in units of `unit` ([rows]): an `Activation` of
        `models.golden.activations`."""

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        """It makes no rows, but what `up` multiplies: `activated`."""
        raise TypeError(f"{type(self).__name__} is an activation function and changes no rows")


class MultiplyingFunction(ActivationFunction):
    """f(g) = g * m(g)."""

    @abstractmethod
    def multiplier(self, point: Point, gate: np.ndarray, unit: Scalar) -> np.ndarray:
        """m of the gate sums that `activated` is given: 16 fraction bits."""

    def activated(self, point: Point, gate: np.ndarray, unit: Scalar) -> tuple[np.ndarray, Scalar]:
        """See `ActivationFunction`."""
        return multiplied(gate, unit, self.multiplier(point, gate, unit))
