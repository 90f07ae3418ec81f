"""Queue: a few transfers that wait between two streams."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.boards.technology import PLAIN
from hw.stream.shallow_memory import shallow_attributes

__all__ = ["Queue"]


class Queue(wiring.Component):
    """First in, first out: at most `depth` transfers of `shape` wait, `level` of them now; one a cycle goes in and out.

    `i.ready` and `o.valid` come from registers alone, so neither side's reach the other. A transfer is on offer the
    cycle after it came, and its payload is read out of LUTs. `buffered`, for wide ones: a cycle later, out of a
    register that is read in every cycle, so that no logic has to enable it, and every other cycle at most; where it
    lies in block RAM (`hw.stream.shallow_memory`) that is the block's, and there is one more behind it, a cycle later
    and every third cycle at most. Deep ones at full clock: `hw.stream.deep_queue`.
    """

    def __init__(self, shape: ShapeLike, depth: int, *, buffered: bool = False) -> None:
        if depth < 1:
            raise ValueError(f"depth must be positive, got {depth}")
        self._depth, self._buffered = depth, buffered
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "level": Out(range(depth + 1)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        if self._buffered:
            self._elaborate_buffered(m, platform)
            return m
        given, taken = Value.cast(self.i.payload), Value.cast(self.o.payload)
        m.submodules.fifo = fifo = SyncFIFO(width=len(given), depth=self._depth)
        m.d.comb += [
            fifo.w_data.eq(given), fifo.w_en.eq(self.i.valid), self.i.ready.eq(fifo.w_rdy),
            taken.eq(fifo.r_data), self.o.valid.eq(fifo.r_rdy), fifo.r_en.eq(self.o.ready),
            self.level.eq(fifo.level),
        ]
        return m

    def _elaborate_buffered(self, m: Module, platform) -> None:
        depth, given = self._depth, Value.cast(self.i.payload)
        words = max(depth, 2)  # an address has a bit
        m.submodules.storage = storage = Memory(shape=len(given), depth=words, init=[],
                                                attrs=shallow_attributes(platform))
        write, read = storage.write_port(), storage.read_port()
        head, tail = Signal(range(words)), Signal(range(words))
        put, got = self.i.valid & self.i.ready, self.o.valid & self.o.ready

        def after(place: Signal) -> Value:
            return Mux(place == depth - 1, 0, place + 1)

        m.d.comb += [
            self.i.ready.eq(self.level != depth),
            write.addr.eq(tail), write.en.eq(put), write.data.eq(given),
            read.addr.eq(head), read.en.eq(1),
        ]
        m.d.sync += self.level.eq(self.level + put - got)
        there = (self.level != 0) & ~got
        if (platform or PLAIN).shallow_blocks:
            word, fetched = Signal(len(given), reset_less=True), Signal()
            m.d.sync += [word.eq(read.data), fetched.eq(there), self.o.valid.eq(fetched & ~got)]
        else:
            word = read.data
            m.d.sync += self.o.valid.eq(there)
        m.d.comb += Value.cast(self.o.payload).eq(word)
        with m.If(put):
            m.d.sync += tail.eq(after(tail))
        with m.If(got):
            m.d.sync += head.eq(after(head))
