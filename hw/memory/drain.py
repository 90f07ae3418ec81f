"""Drain: waits, after a reset, for the answers to what was asked before it."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["DRAIN_CYCLES", "Drain"]

DRAIN_CYCLES = 4096
"""Without an answer, after which none is expected any more: far above what DRAM takes under load."""


class Drain(wiring.Component):
    """`quiet` is `still` a cycle ago; after a reset not before `cycles` of it in a row.

    A reset of this design alone, or the loading of its bitstream, leaves the memory with bursts of which nothing here
    knows any more. Their answers are dropped by the masters, and are no `still` cycles.
    """

    def __init__(self, cycles: int = DRAIN_CYCLES) -> None:
        if cycles < 1:
            raise ValueError(f"cycles must be positive, got {cycles}")
        self._cycles = cycles
        super().__init__({"still": In(1), "quiet": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        left, drained = Signal(range(self._cycles), init=self._cycles - 1), Signal()
        with m.If(~drained):
            m.d.sync += left.eq(left - 1)
            with m.If(~self.still):
                m.d.sync += left.eq(self._cycles - 1)
            with m.Elif(left == 0):
                m.d.sync += drained.eq(1)
        m.d.sync += self.quiet.eq(self.still & (drained | (left == 0)))
        return m
