"""Gathered queue: wide words that come and wait in parts, for a bus and a memory of a part's width."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from hw.stream.deep_queue import DeepQueue

__all__ = ["GatheredQueue"]


class GatheredQueue(wiring.Component):
    """First in, first out: words of `parts` transfers of `part_bits` each, the lowest bits first.

    At least `depth` words wait, and one in the register that offers them, which is filled while the word before it is
    still at work elsewhere: a word is on offer `parts` + 4 cycles after its first part came, or `parts` + 1 after the
    one before it went. `i.ready` and `o.valid` come from registers alone. `level`: parts that are here.
    """

    def __init__(self, part_bits: int, parts: int, depth: int) -> None:
        if parts < 2 or depth < 1:
            raise ValueError(f"parts must be 2 or more and depth positive, got {parts} and {depth}")
        self._parts = parts
        self._words = max(16, 1 << ceil_log2(parts * depth))
        super().__init__({
            "i": In(stream.Signature(part_bits)),
            "o": Out(stream.Signature(part_bits * parts)),
            "level": Out(range(self._words + 3 + parts)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        width = len(self.i.payload)
        m.submodules.waiting = waiting = DeepQueue(width, self._words)
        word = Signal(width * self._parts, reset_less=True)
        missing = Signal(self._parts, init=1 << self._parts - 1)  # a bit for the parts that are still to come
        connect(m, flipped(self.i), waiting.i)
        m.d.comb += [self.o.payload.eq(word), waiting.o.ready.eq(~self.o.valid)]
        with m.If(waiting.o.valid & waiting.o.ready):
            m.d.sync += [word.eq(Cat(word[width:], waiting.o.payload)), missing.eq(missing.rotate_right(1)),
                         self.o.valid.eq(missing[0])]
        got = self.o.valid & self.o.ready
        with m.If(got):
            m.d.sync += self.o.valid.eq(0)
        put = self.i.valid & self.i.ready
        with m.If(got):
            m.d.sync += self.level.eq(self.level + put - self._parts)
        with m.Else():
            m.d.sync += self.level.eq(self.level + put)
        return m
