"""Milliseconds: a tick in each."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

__all__ = ["Milliseconds"]


class Milliseconds(wiring.Component):
    """`tick` pulses each millisecond of a design of `clock_mhz`, which must be at least 0.002."""

    def __init__(self, clock_mhz: float) -> None:
        self._cycles = round(1000 * clock_mhz)
        if self._cycles < 2:
            raise ValueError(f"a millisecond must have at least two cycles, got {clock_mhz} MHz")
        super().__init__({"tick": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        left = Signal(range(self._cycles), init=self._cycles - 1)
        m.d.sync += [left.eq(left - 1), self.tick.eq(left == 1)]
        with m.If(self.tick):
            m.d.sync += left.eq(self._cycles - 1)
        return m
