"""What a norm in front of a linear layer is: a stage that takes the residual's rows and gives the layer's input."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from host.pipeline.site import Point, Site
from host.pipeline.stage import Order, Stage
from models.checkpoint import Model
from models.golden.scalar import Scalar
from models.model import Gains

__all__ = ["Normalisation"]


class Normalisation(Stage):
    """A norm at `sites`; the linear input behind it is then made where it runs: in the fabric, or by a cut."""

    kind, order, sites = "normalisation", Order.NORM, (Site.ATTENTION_NORM, Site.FFN_NORM)
    in_fabric: ClassVar[bool] = False

    @abstractmethod
    def normalise(self, point: Point, x: np.ndarray, unit: Scalar, gains: Gains | None,
                  model: Model) -> tuple[np.ndarray, Scalar]:
        """Rows normalised and times the gains.

        x: int64 [rows, channels], |x| < 2**62, in units of `unit` ([rows]); gains: int16 [channels] and their exponent.
        Returns v: int64 of x's shape, |v| < 2**39, and the value of one unit of v, [rows].
        """

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        """A norm gives a unit of its own: `normalise`."""
        raise TypeError(f"{type(self).__name__} normalises")
