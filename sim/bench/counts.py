"""Cycles by unit and bytes of a stretch of simulation, which add, subtract and scale."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Counts"]


@dataclass(frozen=True)
class Counts:
    """`units`: the cycles by the unit at work; they add up to `cycles`. `ddr_bytes`: read and written."""

    cycles: float = 0.0
    ddr_bytes: float = 0.0
    units: dict[str, float] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        names = {**self.units, **other.units}
        return Counts(self.cycles + other.cycles, self.ddr_bytes + other.ddr_bytes,
                      {name: self.units.get(name, 0.0) + other.units.get(name, 0.0) for name in names})

    def __sub__(self, other: Counts) -> Counts:
        return self + other * -1.0

    def __mul__(self, factor: float) -> Counts:
        return Counts(self.cycles * factor, self.ddr_bytes * factor,
                      {name: cycles * factor for name, cycles in self.units.items()})
