"""Reserved queue: the end of a pipeline that nothing stops, because each transfer has its place before it begins."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.stream.queue import Queue
from hw.stream.room import Room

__all__ = ["ReservedQueue"]


class ReservedQueue(wiring.Component):
    """First in, first out, transfers of `shape`: `reserve` (only while `free`) keeps one of `depth` places for a
    transfer that comes on `i` later, and is then not held up. A place is free again the cycle after its transfer left.

    So the pipeline between needs no enable, which would reach all of its registers. A transfer a cycle if `depth` is
    the pipeline's latency and three more.
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self._queue, self._room = Queue(shape, depth), Room(depth)
        super().__init__({
            "free": Out(1),
            "reserve": In(1),
            "i": In(stream.Signature(shape, always_ready=True)),
            "o": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.queue = queue = self._queue
        m.submodules.room = room = self._room
        connect(m, queue.o, flipped(self.o))
        m.d.comb += [
            queue.i.valid.eq(self.i.valid), queue.i.payload.eq(self.i.payload),
            self.free.eq(room.free), room.take.eq(self.reserve), room.give.eq(self.o.valid & self.o.ready),
        ]
        return m
