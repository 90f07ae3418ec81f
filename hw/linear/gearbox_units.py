"""Which units of a beat and of what is held make a step of the array, and what is held after it, by phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import gcd
from typing import NamedTuple

from models.machine.build import TRITS_PER_BYTE, BuildParameters

__all__ = ["GearboxUnits", "Unit"]


class Unit(NamedTuple):
    """Unit `index` of the newest beat, or of those that are held, oldest first."""

    newest: bool
    index: int


class GearboxUnits(NamedTuple):
    """A beat is `beat` units of `trits` trits, a step `step` of them, at least as many. The phase is how many are held.

    With a beat, phases from `step` - `beat` on make a step.
    """

    trits: int
    beat: int
    step: int

    @classmethod
    def of(cls, build: BuildParameters) -> GearboxUnits:
        """The units of a build; `ValueError` where a step is less than a beat."""
        beat, step = build.beat_bytes * TRITS_PER_BYTE, build.tile_inputs * build.outputs_per_step
        if step < beat:
            raise ValueError(f"a step of {build.outputs_per_step} outputs is less than a beat")
        trits = gcd(beat, step)
        return cls(trits, beat // trits, step // trits)

    @property
    def missing(self) -> int:
        """Units that a beat lacks of a step."""
        return self.step - self.beat

    def taken(self) -> Iterator[Mapping[int, Unit]]:
        """For each unit of a step where it comes from, by the phases that make one."""
        for j in range(self.step):
            yield {phase: self._at(j, phase) for phase in range(self.missing, self.step)}

    def kept(self) -> Iterator[Mapping[int, Unit]]:
        """For each unit that is held where it comes from, by the phase before; other phases leave nothing there."""
        for j in range(self.step - 1):
            yield ({phase: self._at(j, phase) for phase in range(self.missing) if j < phase + self.beat}
                   | {phase: Unit(True, self.step - phase + j) for phase in range(self.missing, self.step)
                      if j < phase - self.missing})

    @staticmethod
    def _at(j: int, phase: int) -> Unit:
        return Unit(False, j) if j < phase else Unit(True, j - phase)
