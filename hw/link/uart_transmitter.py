"""UART transmitter: bytes of 8 bits without parity to a serial line."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.link.bit_clock import BitClock

__all__ = ["UartTransmitter"]

_BITS = 10  # of a byte on the line: start bit, the byte, stop bit


class UartTransmitter(wiring.Component):
    """Send the bytes of `i` to `tx`, the lowest bit first, between a start bit (low) and a stop bit (high).

    A byte takes ten bits and up to three cycles.
    """

    def __init__(self, clock_mhz: float, baud: int) -> None:
        self._clock = BitClock(clock_mhz, baud, first=1)
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.clock = clock = self._clock
        left, rest = Signal(range(_BITS + 1)), Signal(_BITS - 1, reset_less=True)  # rest: bits that follow on the line
        busy = Signal()
        m.d.comb += [self.i.ready.eq(~busy), clock.restart.eq(~busy)]
        with m.If(~busy):
            m.d.sync += [rest.eq(Cat(self.i.payload, Const(1, 1))), left.eq(_BITS - 1), busy.eq(self.i.valid),
                         self.tx.eq(~self.i.valid)]
        with m.Elif(clock.tick):
            m.d.sync += [rest.eq(Cat(rest[1:], Const(1, 1))), self.tx.eq(rest[0]), left.eq(left - 1),
                         busy.eq(left != 0)]
        return m
