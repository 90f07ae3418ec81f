"""Deframer: what lies between flags, unescaped and checked."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.link.crc32 import Crc32
from models.machine.link import ESCAPE, ESCAPED, FCS_BYTES, FLAG

__all__ = ["Deframer"]


class Deframer(wiring.Component):
    """Frames out of a line's bytes, as docs/link.md has them. least, most: bytes of a body without its FCS.

    In: a byte with `valid`, `broken` where it had no stop bit. At most one in two cycles.
    Out: `begin` pulses at the first byte of a frame, `end` at its flag, with `good` where nothing was wrong with it and
    `length` bytes in its body. `store` pulses for each byte of it between, with `place` from 0 on, the FCS's included:
    at most `most` + 4. What is between flags without a byte is no frame.
    """

    def __init__(self, least: int, most: int) -> None:
        if not 0 < least <= most:
            raise ValueError(f"a frame must have at least one byte and at most as many as it may have, "
                             f"got {least} to {most}")
        self._least, self._places = least + FCS_BYTES, most + FCS_BYTES
        count = range(self._places + 1)
        super().__init__({
            "byte": In(8), "valid": In(1), "broken": In(1),
            "begin": Out(1), "store": Out(1), "place": Out(count), "data": Out(8),
            "end": Out(1), "good": Out(1), "length": Out(count),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.crc = crc = Crc32()
        inside, escaped, spoilt = Signal(), Signal(), Signal()
        count, enough = Signal.like(self.place), Signal()
        m.d.comb += [crc.byte.eq(self.data), crc.enable.eq(self.store), crc.clear.eq(self.end)]
        m.d.sync += [
            self.begin.eq(0), self.store.eq(0), self.end.eq(0),
            enough.eq(count >= self._least),
            self.place.eq(count),
            self.length.eq(count - FCS_BYTES),
        ]
        with m.If(self.valid):
            with m.If((self.byte == FLAG) & ~self.broken):
                m.d.sync += [
                    self.end.eq(inside), self.good.eq(crc.matches & enough & ~escaped & ~spoilt),
                    inside.eq(0), escaped.eq(0), spoilt.eq(0), count.eq(0),
                ]
            with m.Else():
                m.d.sync += [self.begin.eq(~inside), inside.eq(1)]
                with m.If(self.broken):
                    m.d.sync += spoilt.eq(1)
                with m.Elif((self.byte == ESCAPE) & ~escaped):
                    m.d.sync += escaped.eq(1)
                with m.Elif(count == self._places):
                    m.d.sync += spoilt.eq(1)
                with m.Else():
                    m.d.sync += [self.store.eq(1), self.data.eq(self.byte ^ (escaped << ESCAPED.bit_length() - 1)),
                                 count.eq(count + 1), escaped.eq(0)]
        return m
