"""Steering by a vector: h += strength * v after a layer. Strength 0 changes no bit.

Source: difference of means (Physics Steering's delta): v = mean(h over A) - mean(h over B).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from host.pipeline.stage import Stage, check_magnitudes, to_mantissas
from models.checkpoint import Model
from models.config import ModelConfig
from models.golden.model import TapPoint
from models.golden.tap import Tap, neutral_tap

__all__ = ["SteeringVector"]


@dataclass(frozen=True)
class SteeringVector(Stage):
    """vectors: float [layers, hidden], added to the residual stream after each layer, times strength."""

    vectors: np.ndarray
    strength: float

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"vectors": (config.layers, config.hidden_size)}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float) -> SteeringVector:
        """See `Stage`; strength may be negative."""
        vectors = tensors["vectors"]
        check_magnitudes("vectors", np.abs(vectors).max(axis=1), strength)
        return cls(vectors, strength)

    @classmethod
    def join(cls, stages: Sequence[SteeringVector]) -> SteeringVector:
        """The sum of the vectors, each times its strength."""
        first, *others = stages
        return cls(sum((s.vectors * s.strength for s in others), first.vectors * first.strength), 1.0)

    def taps(self, model: Model) -> dict[TapPoint, Tap]:
        result = {}
        for layer, vector in enumerate(self.vectors * self.strength):
            if not vector.any():
                continue
            mantissas, exponent = to_mantissas(vector, 32767)
            result[TapPoint(layer, "residual")] = replace(neutral_tap(model.config.hidden_size),
                                                          add=mantissas.astype(np.int16), add_exponent=exponent)
        return result
