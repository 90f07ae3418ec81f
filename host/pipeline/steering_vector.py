"""Steering by a vector: h += strength * v after a layer. Strength 0 changes no bit.

Source: difference of means (Physics Steering's delta): v = mean(h over A) - mean(h over B).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from host.pipeline.stage import Stage, to_mantissas
from models.checkpoint import Model
from models.errors import ModelError
from models.golden.model import TapPoint
from models.golden.tap import Tap, neutral_tap

__all__ = ["SteeringVector"]


@dataclass(frozen=True)
class SteeringVector(Stage):
    """vectors: float [layers, hidden], added to the residual stream after each layer, times strength."""

    vectors: np.ndarray
    strength: float

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float) -> SteeringVector:
        """From an artefact."""
        return cls(tensors["vectors"].astype(np.float64), strength)

    def taps(self, model: Model) -> dict[TapPoint, Tap]:
        config = model.config
        if self.vectors.shape != (config.layers, config.hidden_size):
            raise ModelError(f"the steering vectors are {self.vectors.shape[0]} x {self.vectors.shape[1]}, "
                             f"the model has {config.layers} layers of {config.hidden_size} channels")
        result = {}
        for layer, vector in enumerate(self.vectors * self.strength):
            if not vector.any():
                continue
            mantissas, exponent = to_mantissas(vector, 32767)
            result[TapPoint(layer, "residual")] = replace(neutral_tap(config.hidden_size),
                                                          add=mantissas.astype(np.int16), add_exponent=exponent)
        return result
