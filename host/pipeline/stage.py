"""What a stage is: something that puts taps at points of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

import numpy as np

from models.checkpoint import Model
from models.errors import ModelError
from models.golden.model import TapPoint
from models.golden.tap import Tap

__all__ = ["LINEAR_INPUTS", "Stage", "compose", "point_channels", "to_mantissas"]

LINEAR_INPUTS = ("qkv", "o", "gate_up", "down")


class Stage(ABC):
    """One method with its fitted parameters. Values are in the float model's units."""

    @abstractmethod
    def taps(self, model: Model) -> Mapping[TapPoint, Tap]:
        """The taps that this stage needs; points without one stay as they are."""


def point_channels(model: Model, site: str) -> int:
    """Channels at a site."""
    config = model.config
    return {"o": config.heads * config.head_dim, "down": config.ffn_size}.get(site, config.hidden_size)


def compose(stages: Iterable[Mapping[TapPoint, Tap]]) -> dict[TapPoint, Tap]:
    """All taps of several stages; two stages at one point are refused."""
    result: dict[TapPoint, Tap] = {}
    for taps in stages:
        for point, tap in taps.items():
            if point in result:
                raise ModelError(f"two stages act at layer {point.layer}, {point.site}: use one of them")
            result[point] = tap
    return result


def to_mantissas(values: np.ndarray, limit: int) -> tuple[np.ndarray, int]:
    """Integers within ±limit and the exponent e such that values ~ integers * 2**e; e in -63 .. 63."""
    largest = float(np.abs(values).max())
    if not np.isfinite(largest):
        raise ModelError("a stage's parameters are not finite")
    if largest == 0:
        return np.zeros(values.shape, np.int64), 0
    exponent = int(np.ceil(np.log2(largest / limit)))
    exponent = int(np.clip(exponent, -63, 63))
    return np.clip(np.rint(np.ldexp(values, -exponent)), -limit, limit).astype(np.int64), exponent
