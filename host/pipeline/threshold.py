"""TEAL: magnitude thresholds on the inputs of linear layers, calibrated offline.

An input channel with |x| <= t of its layer and site becomes zero before quantisation; an int8 zero costs
nothing and is exact to skip. Thresholds come from `models.calibrate`. Source: TEAL (training-free
activation sparsity), thresholds as quantiles of |x|.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from host.pipeline.stage import LINEAR_INPUTS, Stage, check_magnitudes, point_channels, to_mantissas
from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import ArtefactError
from models.golden.model import TapPoint
from models.golden.tap import Tap, neutral_tap

__all__ = ["Threshold"]


@dataclass(frozen=True)
class Threshold(Stage):
    """thresholds: float [layers, 4], one for each layer and linear input (qkv, o, gate_up, down)."""

    thresholds: np.ndarray

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"thresholds": (config.layers, len(LINEAR_INPUTS))}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float) -> Threshold:
        """See `Stage`; strength scales the thresholds."""
        thresholds = tensors["thresholds"]
        if (thresholds < 0).any():
            raise ArtefactError(f"tensor thresholds: expected none below 0, found {thresholds.min()}")
        check_magnitudes("thresholds", thresholds, strength)
        return cls(thresholds * strength)

    @classmethod
    def join(cls, stages: Sequence[Threshold]) -> Threshold:
        """The highest of the thresholds at each place: it makes zero whatever any of them does."""
        return cls(np.max([stage.thresholds for stage in stages], axis=0))

    def taps(self, model: Model) -> dict[TapPoint, Tap]:
        result = {}
        for layer in range(model.config.layers):
            for site, value in zip(LINEAR_INPUTS, self.thresholds[layer], strict=True):
                if value <= 0:
                    continue
                channels = point_channels(model, site)
                mantissa, exponent = to_mantissas(np.array([value]), 65535)
                result[TapPoint(layer, site)] = replace(
                    neutral_tap(channels), threshold=np.full(channels, mantissa[0], np.uint16),
                    threshold_exponent=exponent)
        return result
