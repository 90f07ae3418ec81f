"""What a change of rows does to passages, and whether what is left of it without a part is the same effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.host_steps import HostSteps
from host.pipeline.observing import SKIPPED
from host.pipeline.site import Point
from host.pipeline.texts import spread
from host.runtime import Session
from models.checkpoint import Model
from models.errors import OptionError
from models.golden.model import RowStage
from models.machine.build import CPU

__all__ = ["PASSAGE", "Effect", "Passages", "judged"]

PASSAGE = 128
"""Tokens of a passage, or the model's context where that is less."""

_SURVIVES = 0.5  # of the whole's effect: with less, most of it was the other part's
_CLEAR = 3.0  # standard errors beyond which an effect or a difference counts


class Effect(NamedTuple):
    """What a change did to each passage: float64 [passages], nats."""

    each: np.ndarray

    @property
    def mean(self) -> float:
        """Over passages."""
        return float(self.each.mean())

    @property
    def error(self) -> float:
        """The mean's standard error."""
        return float(self.each.std(ddof=1) / np.sqrt(len(self.each)))

    @property
    def clear(self) -> bool:
        """Whether the mean lies beyond three standard errors."""
        return abs(self.mean) > _CLEAR * self.error


def judged(whole: Effect, read: Effect, controls: Sequence[Effect] = ()) -> str:
    """A direction's verdict, from the effects of the whole and of what is read of it alone on the same passages, and
    from those of random directions.

    "none": the whole has no clear effect, or none larger than each control's. "real": the read part alone has clearly
    more than half of it. "illusion": clearly less than half, so most came by way of the null part. "undecided":
    neither.
    """
    if not whole.clear or abs(whole.mean) <= max((abs(each.mean) for each in controls), default=0.0):
        return "none"
    margin = Effect((read.each - _SURVIVES * whole.each) * np.sign(whole.mean))
    return "undecided" if not margin.clear else "real" if margin.mean > 0 else "illusion"


class Passages:
    """Passages of a text on the emulator, each with one number: the mean, over its tokens but the first, of a measure.

    measure: float64 [rows] of integer logits [rows, vocab], such as `Lean.of`. plain: float64 [passages], where nothing
    is changed. `OptionError` for a text of fewer than two passages.
    """

    def __init__(self, model: Model, ids: Sequence[int], passages: int, measure: Callable[[np.ndarray], np.ndarray]):
        size = min(PASSAGE, model.config.context)
        chosen = spread(ids, passages * size, size)
        self.ids = [chosen[start:start + size] for start in range(0, len(chosen) - size + 1, size)]
        if len(self.ids) < 2:
            raise OptionError(f"a text of {len(ids)} tokens is too short to patch: {2 * size} are needed")
        self._model, self._measure = model, measure
        self._session = Session(model, EmulatorDevice(CPU))
        self.plain = self._run({})

    def __len__(self) -> int:
        return len(self.ids)

    def effect(self, stages: Mapping[Point, Sequence[RowStage]]) -> Effect:
        """Of stages at points."""
        return Effect(self._run(stages) - self.plain)

    def _run(self, stages: Mapping[Point, Sequence[RowStage]]) -> np.ndarray:
        self._session.set_host_steps(HostSteps(self._model, stages=stages))
        found = []
        for ids in self.ids:
            self._session.reset()
            found.append(self._measure(self._session.score(ids))[SKIPPED:].mean())
        return np.array(found)
