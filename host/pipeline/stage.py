"""What a stage is: one method of one of `KINDS`, with its fitted parameters, for one model.

A method is one file with one subclass (`host.pipeline.methods` finds it). What it must have: `kind`, `method`, `order`
and `sites`, the tensors of its artefacts (`shapes`), and `lower`, `apply` or both.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from host.pipeline.fitting import COMMON_OPTIONS, FitOption, Fitted
from host.pipeline.site import RESIDUAL_SITES, Point, Site, points_of
from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import ArtefactError, OptionError
from models.golden.residual import RESIDUAL_BITS
from models.golden.rounding import bit_length, round_shift
from models.golden.scalar import Scalar, constant, div, shift
from models.golden.tap import Tap, tap

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["KINDS", "Order", "Stage"]

KINDS = ("normalisation", "sparsity", "steering", "resilience", "activation")
_TAP_BITS = 40  # what a tap on a linear input saturates to
_NARROW_BITS = 37  # times the largest gain, within them


class Order(IntEnum):
    """In which order stages at one point act."""

    NORM = 0
    CLIP = 1
    GAIN = 2  # and add
    MASK = 3
    ACTIVATION = 4  # on what the others leave of the gate


class Stage(ABC):
    """A method with fitted tensors (float64, in the float model's units) and a strength.

    Rows that it changes are integers with a `Scalar` unit a row, and so is all arithmetic on them: bits must not depend
    on the machine. Parameters may be prepared in IEEE float64, elementwise and in a fixed order.
    """

    kind: ClassVar[str]
    method: ClassVar[str]
    order: ClassVar[Order]
    sites: ClassVar[tuple[Site, ...]]
    options: ClassVar[Mapping[str, FitOption]] = COMMON_OPTIONS

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        if not math.isfinite(strength):
            raise ArtefactError(f"its strength must be finite, got {strength}")
        self.tensors, self.strength = dict(tensors), strength
        self._lowered: dict[Point, Tap | None] = {}

    @staticmethod
    @abstractmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        """The tensors in an artefact of this method for a model of this shape."""

    @classmethod
    def fit(cls, model: Model, **options: object) -> Fitted:
        """Fit to a model, with the values of `options`; NumPy only."""
        raise OptionError(f"{cls.kind} by {cls.method} has nothing to fit")

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """From an artefact's tensors, finite float64; `ArtefactError` where values make no sense."""
        return cls(tensors, strength)

    def with_strength(self, strength: float) -> Stage:
        """The same stage at another strength; `ArtefactError` where that makes no sense."""
        return self.load(self.tensors, strength)

    @property
    def family(self) -> type[Stage]:
        """The class whose instances are joined with this one; its own."""
        return type(self)

    @classmethod
    def join(cls, stages: Sequence[Self]) -> Sequence[Stage]:
        """What several stages of this family do together, in as few as it takes; all of them, one after another."""
        return stages

    def points(self, model: Model) -> Sequence[Point]:
        """The points at which it changes anything, at whatever strength; all of `sites`, unless it knows better."""
        return [point for site in self.sites for point in points_of(site, model.config)]

    def lower(self, point: Point, model: Model) -> Tap | None:
        """The fabric's tap that does what this does at a point; None: there is none."""
        return None

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        """Rows as this leaves them at a point.

        x: int64 [rows, channels], |x| < 2**39, at `product` 2**61, in units of `unit` ([rows]). By default what the
        fabric does with the tap, bit for bit (`models.golden`); at `product`, where it has none, on the upper bits.
        """
        if point not in self._lowered:
            self._lowered[point] = self.lower(point, model)
        if (lowered := self._lowered[point]) is None:
            raise NotImplementedError(f"{type(self).__name__} neither lowers to a tap at {point} nor has an `apply`")
        if point.site == Site.PRODUCT:
            excess = np.maximum(bit_length(np.abs(x).max(axis=-1)) - _NARROW_BITS, 0)
            narrow, rho = round_shift(x, excess[:, None]), div(constant(1), shift(unit, excess))
            return tap(narrow, lowered, rho) << excess[:, None]
        bits = RESIDUAL_BITS if point.site in RESIDUAL_SITES else _TAP_BITS
        return tap(x, lowered, div(constant(1), unit), bits=bits)
