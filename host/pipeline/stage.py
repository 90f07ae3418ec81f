"""What a stage is: something that puts taps at points of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import ArtefactError
from models.golden.model import TapPoint
from models.golden.tap import Tap

__all__ = ["LINEAR_INPUTS", "Stage", "check_magnitudes", "compose", "point_channels", "to_mantissas"]

LINEAR_INPUTS = ("qkv", "o", "gate_up", "down")
_MAGNITUDE = 60  # powers of two either way: within a tap's exponents, whatever its mantissas
_NOTHING = 2.0**-80  # rounds to 0 at a tap's least exponent


class Stage(ABC):
    """One method with its fitted parameters. Values are in the float model's units."""

    @staticmethod
    @abstractmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        """The tensors in an artefact of this method for a model of this shape."""

    @classmethod
    @abstractmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float) -> Stage:
        """From an artefact's tensors, finite float64; `ArtefactError` where values make no sense."""

    @classmethod
    @abstractmethod
    def join(cls, stages: Sequence[Stage]) -> Stage:
        """One stage that does what several of this method do together."""

    @abstractmethod
    def taps(self, model: Model) -> Mapping[TapPoint, Tap]:
        """The taps that this stage needs; points without one stay as they are."""


def point_channels(model: Model, site: str) -> int:
    """Channels at a site."""
    config = model.config
    return {"o": config.heads * config.head_dim, "down": config.ffn_size}.get(site, config.hidden_size)


def compose(stages: Iterable[Mapping[TapPoint, Tap]]) -> dict[TapPoint, Tap]:
    """All taps of stages of different methods; two at one point are refused."""
    result: dict[TapPoint, Tap] = {}
    for taps in stages:
        for point, tap in taps.items():
            if point in result:
                raise ArtefactError(f"two methods act at layer {point.layer}, {point.site}: use one of them")
            result[point] = tap
    return result


def check_magnitudes(name: str, largest: np.ndarray, strength: float) -> None:
    """`ArtefactError` unless a tap can hold the tensor `name` times strength.

    largest: float64, of what shares an exponent the largest magnitude.
    """
    if not np.isfinite(strength):
        raise ArtefactError(f"tensor {name}: its strength must be finite, got {strength}")
    factors = {"": 1.0} | ({f" times {strength}": abs(strength)} if strength else {})
    for times, factor in factors.items():
        with np.errstate(over="ignore", under="ignore"):
            values = largest[largest > 0] * factor
        wrong = values[(values < 2.0**-_MAGNITUDE) | (values > 2.0**_MAGNITUDE)]
        if wrong.size:
            raise ArtefactError(f"tensor {name}{times}: expected magnitudes of 0, or 2**-{_MAGNITUDE} to "
                                f"2**{_MAGNITUDE}, found {wrong[0]}")


def to_mantissas(values: np.ndarray, limit: int) -> tuple[np.ndarray, int]:
    """Integers within ±limit and the exponent e such that values ~ integers * 2**e; e in -63 .. 63."""
    largest = float(np.abs(values).max())
    if largest < _NOTHING:
        return np.zeros(values.shape, np.int64), 0
    exponent = int(np.ceil(np.log2(largest / limit)))
    exponent = int(np.clip(exponent, -63, 63))
    return np.clip(np.rint(np.ldexp(values, -exponent)), -limit, limit).astype(np.int64), exponent
