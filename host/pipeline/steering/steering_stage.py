"""What all steering methods are: stages on the residual stream, each with a control to hold it against."""

from __future__ import annotations

from abc import abstractmethod

from host.pipeline.site import Site
from host.pipeline.stage import Order, Stage

__all__ = ["SteeringStage"]


class SteeringStage(Stage):
    """Strength 0 changes no bit; where a method can go the other way, a negative strength does."""

    kind, order, sites = "steering", Order.GAIN, (Site.RESIDUAL,)

    @abstractmethod
    def randomised(self, seed: int) -> Stage:
        """A control: the same stage with directions drawn at random, of the same norms."""
