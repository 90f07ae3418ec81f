"""What of a beat of the cache attention multiplies in a cycle: all of it, or slices one after another."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from models.machine.build import QUERY_WORD, BuildParameters
from models.machine.cache import chunk_bytes

__all__ = ["BeatSlices", "Slicing", "slicing"]


@dataclass(frozen=True)
class Slicing:
    """bits: of a chunk's elements that are multiplied together, in each of `parts` chunks; count: of slices a chunk.
    elements: of a chunk."""

    bits: int
    parts: int
    count: int
    elements: int

    @property
    def beat_bits(self) -> int:
        """What the units behind the slices take a cycle."""
        return self.bits * self.parts


def slicing(build: BuildParameters) -> Slicing:
    """A build's. With `query_word` below 16 a beat, of one chunk then, comes in slices of so many elements."""
    chunk = chunk_bytes(build.ports)
    parts, elements = build.beat_bytes // chunk, build.kv.elements_in(chunk)
    if build.query_word == QUERY_WORD or build.query_word >= elements:
        return Slicing(chunk * 8, parts, 1, elements)
    return Slicing(build.query_word * build.kv_bits, parts, elements // build.query_word, elements)


class BeatSlices(wiring.Component):
    """Each transfer of `i` as `count` of `o`, lowest bits first, one a cycle; it is taken with the last."""

    def __init__(self, bits: int, count: int) -> None:
        self._bits, self._count = bits, count
        super().__init__({"i": In(stream.Signature(bits * count)), "o": Out(stream.Signature(bits))})

    def elaborate(self, platform) -> Module:
        m = Module()
        number = Signal(range(self._count))
        last = number == self._count - 1
        m.d.comb += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload.word_select(number, self._bits)),
                     self.i.ready.eq(self.o.ready & last)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += number.eq(number + 1)  # count is a power of two
        return m
