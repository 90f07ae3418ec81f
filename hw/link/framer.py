"""Framer: flags, escapes and FCS around a body."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.link.crc32 import Crc32
from models.machine.link import ESCAPE, ESCAPED, FCS_BYTES, FLAG

__all__ = ["BODY", "Framer"]

BODY = data.StructLayout({"byte": 8, "last": 1})


class Framer(wiring.Component):
    """The bytes of a line for each body of `i`: a flag, body and FCS with flags and escapes escaped, a flag.

    A byte a cycle; from an input to the first of its bytes there is no register.
    """

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(BODY)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.crc = crc = Crc32()
        escaped, number = Signal(), Signal(range(FCS_BYTES))
        byte, special, sent = Signal(8), Signal(), Signal()
        m.d.comb += [
            special.eq(((byte == FLAG) | (byte == ESCAPE)) & ~escaped),
            crc.byte.eq(self.i.payload.byte),
        ]

        def send_byte() -> None:
            """Send it, in two where it must be escaped; `sent` with the last."""
            m.d.comb += [
                self.o.payload.eq(Mux(special, ESCAPE, byte ^ (escaped << ESCAPED.bit_length() - 1))),
                sent.eq(self.o.valid & self.o.ready & ~special),
            ]
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += escaped.eq(special)

        with m.FSM():
            with m.State("OPEN"):
                m.d.comb += [self.o.valid.eq(self.i.valid), self.o.payload.eq(FLAG), crc.clear.eq(1)]
                with m.If(self.i.valid & self.o.ready):
                    m.next = "BODY"
            with m.State("BODY"):
                m.d.comb += [byte.eq(self.i.payload.byte), self.o.valid.eq(self.i.valid), self.i.ready.eq(sent),
                             crc.enable.eq(sent)]
                send_byte()
                with m.If(sent & self.i.payload.last):
                    m.next = "FCS"
            with m.State("FCS"):
                m.d.comb += [byte.eq(crc.sum.word_select(number, 8)), self.o.valid.eq(1)]
                send_byte()
                with m.If(sent):
                    m.d.sync += number.eq(number + 1)
                    with m.If(number == FCS_BYTES - 1):
                        m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(FLAG)]
                with m.If(self.o.ready):
                    m.next = "OPEN"
        return m
