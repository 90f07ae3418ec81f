"""Core reset: makes of a pulse a reset that reaches the whole core, and the time until the core is still."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.stream.reset_tree import RESET_LATENCY

__all__ = ["CUT_CYCLES", "RESET_CYCLES", "CoreReset"]

RESET_CYCLES = 16
CUT_CYCLES = RESET_CYCLES + 4 * RESET_LATENCY
"""Units behind a register and two trees of registers are reset later than it is asked for."""


class CoreReset(wiring.Component):
    """Both are registers, high from the cycle after a pulse of `request` on: `reset` for RESET_CYCLES cycles, `cut` for
    CUT_CYCLES, until every unit of the core has seen the reset. A pulse in between begins both anew."""

    def __init__(self) -> None:
        super().__init__({"request": In(1), "reset": Out(1), "cut": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        left = Signal(range(CUT_CYCLES))
        with m.If(self.request):
            m.d.sync += [left.eq(CUT_CYCLES - 1), self.cut.eq(1), self.reset.eq(1)]
        with m.Elif(self.cut):
            m.d.sync += [left.eq(left - 1), self.cut.eq(left != 0)]
            with m.If(left == CUT_CYCLES - RESET_CYCLES):
                m.d.sync += self.reset.eq(0)
        return m
