"""Methods that end in an affine map a channel: h <- (1 + strength * scale) * h + strength * shift after a layer.

Gains within ±4 are the fabric's tap; larger ones are computed on the CPU, in the same arithmetic with a wider gain.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.fitting import Fitted
from host.pipeline.mantissas import check_magnitudes
from host.pipeline.site import Point, Site
from host.pipeline.steering.added_vectors import adding_tap
from host.pipeline.steering.steering_stage import SteeringStage
from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import ArtefactError
from models.golden.residual import RESIDUAL_BITS
from models.golden.rounding import round_shift, saturate
from models.golden.scalar import Scalar, constant, div
from models.golden.tap import GAIN_ONE, Tap, tap

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ScaledAndShifted"]

_FRACTION = GAIN_ONE.bit_length() - 1
_WIDEST = 1 << 20  # of a gain's mantissa: times a residual of 32 bits it stays within int64


class ScaledAndShifted(SteeringStage):
    """scales, shifts: float [layers, hidden]; strength multiplies both, and a gain of 1 + strength * scale may be as
    large as 128."""

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self.gains = np.rint((1 + self.tensors["scales"] * strength) * GAIN_ONE).astype(np.int64)
        self.added = self.tensors["shifts"] * strength
        self.layers = [layer for layer, parts in enumerate(zip(self.tensors["scales"], self.tensors["shifts"],
                                                               strict=True)) if np.any(parts)]

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("scales", "shifts"), (config.layers, config.hidden_size))

    @classmethod
    @abstractmethod
    def fit(cls, model: Model, **options: object) -> Fitted:
        """See `Stage`."""

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`; strength may be negative."""
        check_magnitudes("shifts", np.abs(tensors["shifts"]).max(axis=1), strength)
        largest = float(np.abs(tensors["scales"]).max()) * abs(strength)
        if (1 + largest) * GAIN_ONE > _WIDEST:
            raise ArtefactError(f"tensor scales: expected gains within ±{_WIDEST // GAIN_ONE}, found one of "
                                f"{1 + largest:.4g} at strength {strength:g}")
        return cls(tensors, strength)

    def points(self, model: Model) -> list[Point]:
        return [Point(layer, Site.RESIDUAL) for layer in self.layers]

    def lower(self, point: Point, model: Model) -> Tap | None:
        gains = self.gains[point.layer]
        if np.abs(gains).max() > np.iinfo(np.int16).max:
            return None
        return replace(adding_tap(self.added[point.layer]), gain=gains.astype(np.int16))

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        if self.lower(point, model) is not None:
            return super().apply(point, x, unit, model)
        scaled = saturate(round_shift(x * self.gains[point.layer], _FRACTION), RESIDUAL_BITS)
        return tap(scaled, adding_tap(self.added[point.layer]), div(constant(1), unit), bits=RESIDUAL_BITS)

    def randomised(self, seed: int) -> SteeringStage:
        """A control: the same numbers at other channels, those of a layer permuted, with signs drawn for the shifts."""
        draw = np.random.default_rng(seed)
        order, signs = draw.permutation(self.gains.shape[1]), draw.choice([-1.0, 1.0], self.gains.shape[1])
        return self.load({"scales": self.tensors["scales"][:, order],
                          "shifts": self.tensors["shifts"][:, order] * signs}, self.strength)
