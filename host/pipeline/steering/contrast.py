"""What directions are fitted on: texts in two manners, and the residual stream that the model makes of each.

A method that leads from one text's manner to the other's has `ContrastFit` for a base and implements `fit_contrast`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.fitting import REQUIRED, FitOption, Fitted
from host.pipeline.observing import SKIPPED, observe, residuals
from host.pipeline.site import Point
from host.pipeline.steering.steering_stage import SteeringStage
from host.pipeline.texts import spread, text_ids
from models.checkpoint import Model
from models.errors import OptionError, printable
from models.machine.build import CPU

__all__ = ["CONTRAST_OPTIONS", "Contrast", "ContrastFit", "chosen_layers", "middle_third"]

CONTRAST_OPTIONS: Mapping[str, FitOption] = MappingProxyType({
    "toward": FitOption(Path, REQUIRED, "text in the wanted manner"),
    "away": FitOption(Path, REQUIRED, "text in the other manner"),
    "layers": FitOption(str, None, "layers to steer, with commas between (else the method's own choice)"),
    "tokens": FitOption(int, 8192, "tokens of each text to use")})
"""Those of every method that is fitted to a contrast."""


class Contrast:
    """Token ids of the wanted manner and of the other, in windows of the model's context."""

    def __init__(self, model: Model, toward: Sequence[int], away: Sequence[int],
                 names: tuple[str, str] = ("toward", "away")):
        self.model, self.toward, self.away, self.names = model, toward, away, names
        self._observed: dict[Point, tuple[np.ndarray, np.ndarray]] = {}

    @classmethod
    def read(cls, model: Model, toward: Path, away: Path, tokens: int) -> Contrast:
        """About `tokens` tokens of each of two files, spread over them. `OptionError` where a file is too short, or
        both hold the same."""
        if tokens <= 2 * SKIPPED:
            raise OptionError(f"--tokens must be more than {2 * SKIPPED}, got {tokens}")
        sides = [spread(text_ids(model, path), tokens, model.config.context) for path in (toward, away)]
        for path, ids in zip((toward, away), sides, strict=True):
            if len(ids) <= 2 * SKIPPED:
                raise OptionError(f"{path} is too short to fit a vector: {len(ids)} tokens")
        if sides[0] == sides[1]:
            raise OptionError(f"{toward} and {away} do not differ: nothing leads from one to the other")
        return cls(model, sides[0], sides[1], (printable(toward.name), printable(away.name)))

    @cached_property
    def states(self) -> tuple[np.ndarray, np.ndarray]:
        """The emulator's residual stream behind each layer, float64 [layers, tokens, hidden], of both manners."""
        toward, away = (residuals(self.model, EmulatorDevice(CPU), ids, description=name)
                        for ids, name in zip((self.toward, self.away), self.names, strict=True))
        return toward, away

    def observed(self, point: Point) -> tuple[np.ndarray, np.ndarray]:
        """What another point holds, float64 [tokens, channels], of both manners."""
        if point not in self._observed:
            toward, away = (observe(self.model, EmulatorDevice(CPU), [point], ids, skipped=SKIPPED)[point]
                            for ids in (self.toward, self.away))
            self._observed[point] = toward, away
        return self._observed[point]

    def pieces(self, size: int, most: int | None = None) -> tuple[list[Sequence[int]], list[Sequence[int]]]:
        """The ids of either manner in pieces of `size` tokens; as many of both. most: of each, spread over the text."""
        count = min(len(self.toward), len(self.away)) // size
        if not count:
            raise OptionError(f"a text of fewer than {size} tokens is too short to fit on")
        chosen = np.linspace(0, count - 1, min(most or count, count)).astype(int) * size
        cut = [[ids[start:start + size] for start in chosen] for ids in (self.toward, self.away)]
        return cut[0], cut[1]

    def flipped(self) -> Contrast:
        """From the wanted manner to the other; the states are shared."""
        other = Contrast(self.model, self.away, self.toward, self.names[::-1])
        other.states = self.states[::-1]
        other._observed = {point: sides[::-1] for point, sides in self._observed.items()}
        return other

    def shuffled(self, seed: int) -> Contrast:
        """A null: the same tokens with their labels permuted, one by one; of pieces half of each side change theirs.

        Pieces are few: permuted at will they would divide unevenly, and what is left of the true direction would grow
        with the strength that an equal cost allows.
        """
        return _Shuffled(self, seed)


class _Shuffled(Contrast):
    def __init__(self, true: Contrast, seed: int):
        super().__init__(true.model, true.toward, true.away, true.names)
        self._true, self._seed = true, seed

    @cached_property
    def states(self) -> tuple[np.ndarray, np.ndarray]:
        toward, away = (side.swapaxes(0, 1) for side in self._true.states)
        shuffled = self._relabelled(toward, away)
        return shuffled[0].swapaxes(0, 1), shuffled[1].swapaxes(0, 1)

    def observed(self, point: Point) -> tuple[np.ndarray, np.ndarray]:
        return self._relabelled(*self._true.observed(point))

    def pieces(self, size: int, most: int | None = None) -> tuple[list[Sequence[int]], list[Sequence[int]]]:
        toward, away = (self._dealt(side) for side in self._true.pieces(size, most))
        half = (len(toward) + 1) // 2
        return [*toward[:half], *away[half:]], [*away[:half], *toward[half:]]

    def _dealt(self, side: list[Sequence[int]]) -> list[Sequence[int]]:
        return [side[i] for i in self._order(len(side))]

    def _relabelled(self, toward: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tokens, the first axis, dealt out anew."""
        pooled, order = np.concatenate([toward, away]), self._order(len(toward) + len(away))
        return pooled[order[:len(toward)]], pooled[order[len(toward):]]

    def _order(self, count: int) -> np.ndarray:
        return np.random.default_rng(self._seed).permutation(count)


class ContrastFit(SteeringStage):
    """A steering method that is fitted to a `Contrast`."""

    options = CONTRAST_OPTIONS

    @classmethod
    def fit(cls, model: Model, **options: Any) -> Fitted:
        """See `Stage`."""
        toward, away, layers, tokens = (options.pop(name) for name in CONTRAST_OPTIONS)
        chosen = chosen_layers(layers, model.config.layers) if layers else cls.default_layers(model.config.layers)
        tensors, details = cls.fit_contrast(Contrast.read(model, toward, away, tokens), chosen, **options)
        return Fitted(tensors, {"layers": list(chosen), **details})

    @classmethod
    @abstractmethod
    def fit_contrast(cls, contrast: Contrast, layers: Sequence[int], **own: object) -> Fitted:
        """Fit to a contrast at layers. own: the method's own options."""

    @classmethod
    def default_layers(cls, count: int) -> Sequence[int]:
        """The layers to steer of `count`, where none are named."""
        return middle_third(count)

def middle_third(count: int) -> list[int]:
    """The middle third of a model's `count` layers, at least one."""
    return list(range(count // 3, max(count // 3 + 1, 2 * count // 3)))


def chosen_layers(option: str, count: int) -> list[int]:
    """The layers of `count` that `--layers` names."""
    try:
        layers = sorted({int(part) for part in option.split(",")})
    except ValueError:
        raise OptionError(f"--layers takes numbers separated by commas, got {option!r}") from None
    if layers[0] < 0 or layers[-1] >= count:
        raise OptionError(f"--layers must lie within 0 .. {count - 1}, got {option}")
    return layers
