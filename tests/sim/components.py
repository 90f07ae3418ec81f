"""A small component that the simulation tests run: it keeps the stream rule, or breaks it when told to."""

from amaranth.hdl import Module, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

FAULTS = ("valid waits for ready", "valid falls", "payload changes", "drops", "wrong bit", "takes nothing")


class StreamFifo(wiring.Component):
    """A buffered FIFO between two streams; ``level`` values are in it. The input ``fault``, 0 or 1 + an index into
    `FAULTS`, breaks it."""

    def __init__(self, layout: ShapeLike, depth: int = 4):
        self.depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                "o": Out(stream.Signature(layout)),
                "fault": In(range(len(FAULTS) + 1)),
                "level": Out(range(depth + 1)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        source, target = Value.cast(self.i.payload), Value.cast(self.o.payload)
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=len(source), depth=self.depth)
        m.d.comb += [
            fifo.w_data.eq(source),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            target.eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
            self.level.eq(fifo.level),
        ]
        count = Signal(5)
        m.d.sync += count.eq(count + 1)
        rare = count.all()
        broken = {
            "valid waits for ready": self.o.valid.eq(fifo.r_rdy & self.o.ready),
            "valid falls": [self.o.valid.eq(fifo.r_rdy & ~rare), fifo.r_en.eq(self.o.ready & ~rare)],
            "payload changes": target.eq(fifo.r_data ^ (rare & ~self.o.ready)),
            "drops": fifo.w_en.eq(self.i.valid & ~rare),
            "wrong bit": fifo.w_data.eq(source ^ rare),
            "takes nothing": [fifo.w_en.eq(0), self.i.ready.eq(0)],
        }
        for index, name in enumerate(FAULTS):
            with m.If(self.fault == index + 1):
                m.d.comb += broken[name]
        return m
