"""EigenShift: in front of the head, h <- h - strength * V Vᵀ h, V the head's singular directions of one manner.

Of the right singular vectors of the head's matrix those are taken in which the unwanted manner's head inputs have more
energy than the wanted one's, by the ratio of the mean squares. Strength 0 is the plain model, 1 takes the directions
out, more mirrors them, less than 0 strengthens them. The head's table is not touched: a tied embedding stays. In
integers: an input of up to 39 bits is rounded to 24, Vᵀh and V(Vᵀh) are exact sums of products with 15-bit entries,
each rounded once; what is subtracted is zero where the strength is. Source: EigenShift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.fitting import FitOption, Fitted
from host.pipeline.site import Point, Site
from host.pipeline.steering.contrast import CONTRAST_OPTIONS, Contrast, ContrastFit
from host.pipeline.steering.steering_stage import SteeringStage
from models.checkpoint import Model
from models.config import ModelConfig
from models.dequantise import float_model
from models.errors import ArtefactError, OptionError
from models.golden.rounding import bit_length, round_shift
from models.golden.scalar import Scalar

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["DIRECTIONS", "EigenShift"]

DIRECTIONS = 64
"""Of an artefact; those beyond the chosen ones are zeros."""

_INPUT_BITS = 24
_ENTRY = 15  # fraction bits of a direction's entry
_FACTOR = 13  # of the strength
_LARGEST = 64.0


class EigenShift(ContrastFit, SteeringStage):
    """directions: float [64, hidden], orthonormal, the unused last ones zero; strength within ±64."""

    method, sites = "eigen-shift", (Site.HEAD,)
    options = {**CONTRAST_OPTIONS, "count": FitOption(int, 16, f"directions, at most {DIRECTIONS}")}

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        used = self.tensors["directions"].any(axis=1)
        self._entries = np.rint(np.ldexp(self.tensors["directions"][used], _ENTRY)).astype(np.int64)
        self._factor = round(strength * (1 << _FACTOR))

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"directions": (DIRECTIONS, config.hidden_size)}

    @classmethod
    def fit_contrast(cls, contrast: Contrast, layers: Sequence[int], *,  # type: ignore[override]  # options by name
                     count: int) -> Fitted:
        """See `ContrastFit`; layers mean nothing in front of the head."""
        model = contrast.model
        if not 0 < count <= min(DIRECTIONS, model.config.hidden_size):
            raise OptionError(f"--count must lie within 1 .. {min(DIRECTIONS, model.config.hidden_size)}, got {count}")
        twin = float_model(model)
        head = np.asarray(twin.embedding if twin.head is None else twin.head, np.float64)
        singular = np.linalg.eigh(head.T @ head)[1].T  # the right singular vectors, a row each
        energies = [np.square(inputs @ singular.T).mean(axis=0)
                    for inputs in contrast.observed(Point(model.config.layers, Site.HEAD))]
        ratios = energies[1] / np.maximum(energies[0], 1e-30)
        chosen = np.argsort(-ratios, kind="stable")[:count]
        directions = np.zeros((DIRECTIONS, model.config.hidden_size))
        directions[:count] = singular[chosen]
        return Fitted({"directions": directions}, {"energy_ratios": np.round(ratios[chosen], 3).tolist()})

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`."""
        norms = np.linalg.norm(tensors["directions"], axis=1)
        if (wrong := norms[(norms != 0) & (np.abs(norms - 1) > 0.01)]).size:
            raise ArtefactError(f"tensor directions: expected norms of 1, found one of {wrong[0]:.4g}")
        if not abs(strength) <= _LARGEST:
            raise ArtefactError(f"its strength must lie within ±{_LARGEST:g}, got {strength}")
        return cls(tensors, strength)

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        excess = np.maximum(bit_length(np.abs(x).max(axis=-1)) - _INPUT_BITS, 0)[:, None]
        projected = round_shift(round_shift(x, excess) @ self._entries.T, _ENTRY)
        taken = round_shift(round_shift(projected * self._factor, _FACTOR) @ self._entries, _ENTRY)
        return x - (taken << excess)

    def randomised(self, seed: int) -> SteeringStage:
        """A control: as many directions drawn at random, orthonormal."""
        directions = self.tensors["directions"]
        drawn = np.random.default_rng(seed).standard_normal(directions.shape[::-1])
        basis = np.linalg.qr(drawn)[0].T
        return self.load({"directions": np.where(directions.any(axis=1, keepdims=True), basis, 0)}, self.strength)
