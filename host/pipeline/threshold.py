"""TEAL: magnitude thresholds on the inputs of linear layers, calibrated offline.

An input channel with |x| <= t of its layer and site becomes zero before quantisation; an int8 zero costs
nothing and is exact to skip. Thresholds come from `models.calibrate`. Source: TEAL (training-free
activation sparsity), thresholds as quantiles of |x|.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from host.pipeline.stage import LINEAR_INPUTS, Stage, point_channels, to_mantissas
from models.checkpoint import Model
from models.errors import ModelError
from models.golden.model import TapPoint
from models.golden.tap import Tap, neutral_tap

__all__ = ["Threshold"]


@dataclass(frozen=True)
class Threshold(Stage):
    """thresholds: float [layers, 4], one for each layer and linear input (qkv, o, gate_up, down)."""

    thresholds: np.ndarray

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float) -> Threshold:
        """From an artefact; strength scales the thresholds."""
        return cls(tensors["thresholds"].astype(np.float64) * strength)

    def taps(self, model: Model) -> dict[TapPoint, Tap]:
        layers = model.config.layers
        if self.thresholds.shape != (layers, len(LINEAR_INPUTS)):
            raise ModelError(f"the thresholds are for {self.thresholds.shape[0]} layers, the model has {layers}")
        result = {}
        for layer in range(layers):
            for site, value in zip(LINEAR_INPUTS, self.thresholds[layer], strict=True):
                if value <= 0:
                    continue
                channels = point_channels(model, site)
                mantissa, exponent = to_mantissas(np.array([value]), 65535)
                result[TapPoint(layer, site)] = replace(
                    neutral_tap(channels), threshold=np.full(channels, mantissa[0], np.uint16),
                    threshold_exponent=exponent)
        return result
