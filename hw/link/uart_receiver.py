"""UART receiver: bytes of 8 bits without parity from a serial line."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.link.bit_clock import BitClock

__all__ = ["UartReceiver"]


class UartReceiver(wiring.Component):
    """`valid` pulses for each byte of `rx`, with `byte`, and with `broken` where its stop bit was low.

    `rx` need not be in step with the clock. It is what two of its last three samples were, so that a spike of a cycle
    is nothing; a start bit that is over at its middle is none. Bits are taken at their middle; a byte is told there of
    its stop bit, from where on the next may begin. The line's rate may be off by 4 % from `baud`, less the part of a
    bit that a cycle is. Behind a broken byte the line has to go high first.
    """

    def __init__(self, clock_mhz: float, baud: int) -> None:
        self._clock = BitClock(clock_mhz, baud, first=0.5)
        super().__init__({"rx": In(1), "byte": Out(8), "valid": Out(1), "broken": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.clock = clock = self._clock
        met, samples = Signal(2, init=0b11), Signal(3, init=0b111)  # met: of the flip-flops that take what is unsettled
        line, was = Signal(init=1), Signal(init=1)
        m.d.sync += [
            met.eq(Cat(self.rx, met[0])),
            samples.eq(Cat(met[1], samples[:2])),
            line.eq((samples[0] & samples[1]) | (samples[0] & samples[2]) | (samples[1] & samples[2])),
            was.eq(line),
        ]
        busy, number = Signal(), Signal(range(10))  # of the bit that is next: 0 the start bit, 9 the stop bit
        m.d.comb += clock.restart.eq(~busy)
        m.d.sync += self.valid.eq(0)
        with m.If(~busy):
            m.d.sync += [busy.eq(was & ~line), number.eq(0)]
        with m.Elif(clock.tick):
            m.d.sync += number.eq(number + 1)
            with m.If(number == 9):
                m.d.sync += [busy.eq(0), self.valid.eq(1), self.broken.eq(~line)]
            with m.Elif(number == 0):
                m.d.sync += busy.eq(~line)
            with m.Else():
                m.d.sync += self.byte.eq(Cat(self.byte[1:], line))
        return m
