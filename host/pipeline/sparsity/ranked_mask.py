"""What masks that keep a number of channels share: how many a row keeps, and that ties go to the lower channel."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.site import Point
from host.pipeline.sparsity.fitted_mask import FittedMask, check_strength
from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import ArtefactError
from models.golden.scalar import Scalar

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["RankedMask", "kept_channels", "largest"]


class RankedMask(FittedMask):
    """shares: float [layers, sites] in 0 .. 1, of a row's channels those that become zero; strength scales them, to
    all at most.

    A row of n channels keeps the n - rint(share * n) that score highest.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self.shares = np.minimum(self.tensors["shares"] * strength, 1)
        self.chosen = self.tensors["shares"] > 0

    @classmethod
    def shapes(cls, config: ModelConfig) -> dict[str, tuple[int, ...]]:  # type: ignore[override]  # of its own sites
        return {"shares": (config.layers, len(cls.sites))}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`."""
        check_strength("shares", tensors["shares"], strength)
        if (tensors["shares"] > 1).any():
            raise ArtefactError(f"tensor shares: expected none above 1, found {tensors['shares'].max()}")
        return cls(tensors, strength)

    @classmethod
    def join(cls, stages: Sequence[Self]) -> Sequence[Self]:
        """One after another: each ranks what those before left."""
        return stages

    def points(self, model: Model) -> list[Point]:
        return [Point(layer, self.sites[site]) for layer, site in np.argwhere(self.chosen).tolist()]

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        share = float(self.shares[point.layer, self.sites.index(point.site)])
        return np.where(self.keeps(point, x, unit, model, kept_channels(share, x.shape[-1])), x, 0)

    @abstractmethod
    def keeps(self, point: Point, x: np.ndarray, unit: Scalar, model: Model, kept: int) -> np.ndarray:
        """Bool [rows, channels]: at most `kept` of a row's channels that are not zero anyway."""


def kept_channels(share: float, channels: int) -> int:
    """How many of the channels stay where a share of them is dropped."""
    return channels - round(share * channels)


def largest(scores: np.ndarray, kept: int) -> np.ndarray:
    """Bool [rows, channels]: of each row the channels with the `kept` largest scores, at least 0, the lower one first
    among equals."""
    order = np.argsort(-scores, axis=-1, kind="stable")[..., :kept]
    mask = np.zeros(scores.shape, bool)
    np.put_along_axis(mask, order, True, axis=-1)
    return mask
