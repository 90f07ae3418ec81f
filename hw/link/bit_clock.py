"""Bit clock: ticks at the rate of a serial line."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FEWEST_CYCLES", "MOST_CYCLES", "BitClock"]

FEWEST_CYCLES, MOST_CYCLES = 4, 1024  # of a bit
_PHASE_BITS = 16


class BitClock(wiring.Component):
    """Pulse `tick` once a bit: the first `first` bits behind `restart`, 0.5 or more, in which cycle there is none.

    clock_mhz, baud: of the design and of the line, 4 to 1,024 cycles a bit, else ValueError. A bit may be a fraction of
    cycles: ticks are at most one cycle late, and their rate is right within 0.8 %, within 0.01 % below 20 cycles.
    """

    def __init__(self, clock_mhz: float, baud: int, *, first: float) -> None:
        if clock_mhz <= 0 or baud <= 0:
            raise ValueError(f"clock and baud must be positive, got {clock_mhz} MHz and {baud}")
        cycles = clock_mhz * 1e6 / baud
        if not FEWEST_CYCLES <= cycles <= MOST_CYCLES:
            raise ValueError(f"a bit must take {FEWEST_CYCLES} to {MOST_CYCLES} cycles, got {cycles:g}: "
                             f"{baud} baud at {clock_mhz:g} MHz")
        self._step = round((1 << _PHASE_BITS) / cycles)
        self._start = round((1 << _PHASE_BITS) * (1 - first)) + self._step  # for the cycle that the carry takes
        super().__init__({"restart": In(1), "tick": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        phase, carry = Signal(_PHASE_BITS, reset_less=True), Signal()
        m.d.sync += [phase.eq(phase + self._step), carry.eq((phase + self._step)[_PHASE_BITS])]
        with m.If(self.restart):
            m.d.sync += [phase.eq(self._start), carry.eq(0)]
        m.d.comb += self.tick.eq(carry & ~self.restart)
        return m
