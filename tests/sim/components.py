"""Small components that the simulation tests run: one that keeps the stream rule and some that break it."""

from amaranth.hdl import Module, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

FAULTS = ("valid waits for ready", "valid falls", "payload changes", "drops", "wrong bit")


class StreamFifo(wiring.Component):
    """A buffered FIFO between two streams, or one with a fault that a bench has to find."""

    def __init__(self, layout: ShapeLike, depth: int = 4, fault: str | None = None):
        if fault is not None and fault not in FAULTS:
            raise ValueError(f"unknown fault {fault!r}")
        self.depth, self.fault = depth, fault
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform):
        m = Module()
        source, target = self.i.payload, self.o.payload
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=len(Value.cast(source)), depth=self.depth)
        m.d.comb += [
            fifo.w_data.eq(source),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            target.eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
        ]
        count = Signal(5)
        m.d.sync += count.eq(count + 1)
        rare = count.all()
        if self.fault == "valid waits for ready":
            m.d.comb += self.o.valid.eq(fifo.r_rdy & self.o.ready)
        elif self.fault == "valid falls":
            m.d.comb += [self.o.valid.eq(fifo.r_rdy & ~rare), fifo.r_en.eq(self.o.ready & ~rare)]
        elif self.fault == "payload changes":
            m.d.comb += target.eq(fifo.r_data ^ (rare & ~self.o.ready))
        elif self.fault == "drops":
            m.d.comb += fifo.w_en.eq(self.i.valid & ~rare)
        elif self.fault == "wrong bit":
            m.d.comb += fifo.w_data.eq(source ^ rare)
        return m


class ByteCounter(wiring.Component):
    """Counts the cycles: a component without streams."""

    total: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.total.eq(self.total + 1)
        return m
