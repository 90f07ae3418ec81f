"""Queue: a few transfers that wait between two streams."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO, SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

__all__ = ["Queue"]


class Queue(wiring.Component):
    """First in, first out: at most `depth` transfers of `shape` wait, `level` of them now; one a cycle goes in and out.

    `i.ready` and `o.valid` come from registers alone, so neither side's reach the other. A transfer is on offer the
    cycle after it came, and its payload is read out of LUTs. `buffered`, for wide ones: a cycle later, and out of a
    block RAM's register. Deep ones at full clock: `hw.stream.deep_queue`.
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
        given, taken = Value.cast(self.i.payload), Value.cast(self.o.payload)
        fifo = SyncFIFOBuffered if self._buffered else SyncFIFO
        m.submodules.fifo = fifo = fifo(width=len(given), depth=self._depth)
        m.d.comb += [
            fifo.w_data.eq(given), fifo.w_en.eq(self.i.valid), self.i.ready.eq(fifo.w_rdy),
            taken.eq(fifo.r_data), self.o.valid.eq(fifo.r_rdy), fifo.r_en.eq(self.o.ready),
            self.level.eq(fifo.level),
        ]
        return m
