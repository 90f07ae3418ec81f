"""What a path takes beside its levels of logic, counted in levels: nets with many loads, memories at their pins."""

from __future__ import annotations

from dataclasses import dataclass

from hw.synthesis.netlist import Cell
from hw.synthesis.primitives import Kind, kind_of

__all__ = ["COUNTED", "MANY_LOADS", "SOME_LOADS", "Weights"]

SOME_LOADS, MANY_LOADS = 32, 128
"""Loads from which on a net is heavier than a short one, and than that again."""

_BLOCKS = (Kind.BRAM, Kind.URAM)


@dataclass(frozen=True)
class Weights:
    """some, many: of each net from that many loads on. read, written: of distributed RAM, on the way and at the end; a
    shift register has no address that has to reach all of it. block: of a block RAM or UltraRAM at either end. Products
    weigh nothing: a DSP has registers inside."""

    some: float = 0
    many: float = 0
    read: float = 0
    written: float = 0
    block: float = 0

    def net(self, loads: int) -> float:
        """Of a net."""
        return self.many if loads >= MANY_LOADS else self.some if loads >= SOME_LOADS else 0

    def start(self, cell: Cell | None) -> float:
        """Of where a path starts."""
        return self.block if cell is not None and kind_of(cell.type) in _BLOCKS else 0

    def passed(self, cell: Cell) -> float:
        """Of a cell on the way, beside its level."""
        return self.read if _is_memory(cell) else 0

    def end(self, cell: Cell | None) -> float:
        """Of where a path ends."""
        if cell is None:
            return 0
        return self.written if _is_memory(cell) else self.start(cell)


COUNTED = Weights()
"""Levels alone."""


def _is_memory(cell: Cell) -> bool:
    return kind_of(cell.type) is Kind.LUTRAM and not cell.type.startswith("SRL")
