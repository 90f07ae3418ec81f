"""Request buffers: good frames, whole, until they have been executed."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.machine.link import FCS_BYTES, MOST_FRAME, REQUEST_BUFFERS

__all__ = ["RequestBuffers"]

_PLACES = MOST_FRAME + FCS_BYTES
_COUNT_BITS = 16  # of frames


class RequestBuffers(wiring.Component):
    """Two frames, filled by a `Deframer` (begin to length, which see) and read in order.

    `ready`: there is one, of `length` bytes; `byte` is that at `place` a cycle ago. `another`: there are two. `done`
    frees the first. damaged, dropped: frames since reset, modulo 65,536, that were no good, and that began while both
    buffers were full.
    """

    def __init__(self) -> None:
        count = range(_PLACES + 1)
        super().__init__({
            "begin": In(1), "store": In(1), "store_place": In(count), "data": In(8),
            "end": In(1), "good": In(1), "frame_length": In(count),
            "ready": Out(1), "another": Out(1), "length": Out(count), "place": In(range(_PLACES)), "byte": Out(8),
            "done": In(1), "damaged": Out(_COUNT_BITS), "dropped": Out(_COUNT_BITS),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        size = 1 << (_PLACES - 1).bit_length()
        m.submodules.memory = memory = Memory(shape=8, depth=REQUEST_BUFFERS * size, init=[])
        written, read = memory.write_port(), memory.read_port()
        filling, reading = Signal(), Signal()
        full = Signal(REQUEST_BUFFERS)
        lengths = Array(Signal.like(self.length, name=f"length_{n}", reset_less=True) for n in range(REQUEST_BUFFERS))
        dropping, dropped = Signal(), Signal()  # the frame that comes; dropped: a cycle ago
        m.d.comb += [
            dropping.eq(Mux(self.begin, full.bit_select(filling, 1), dropped)),
            written.addr.eq(Cat(self.store_place[:size.bit_length() - 1], filling)),
            written.data.eq(self.data),
            written.en.eq(self.store & ~dropping),
            read.addr.eq(Cat(self.place, reading)),
            read.en.eq(1),
            self.byte.eq(read.data),
            self.ready.eq(full.bit_select(reading, 1)),
            self.another.eq(full.all()),
            self.length.eq(lengths[reading]),
        ]
        m.d.sync += dropped.eq(dropping)
        with m.If(self.end):
            with m.If(dropping):
                m.d.sync += self.dropped.eq(self.dropped + 1)
            with m.Elif(self.good):
                m.d.sync += [full.bit_select(filling, 1).eq(1), lengths[filling].eq(self.frame_length),
                             filling.eq(~filling)]
            with m.Else():
                m.d.sync += self.damaged.eq(self.damaged + 1)
        with m.If(self.done):
            m.d.sync += [full.bit_select(reading, 1).eq(0), reading.eq(~reading)]
        return m
