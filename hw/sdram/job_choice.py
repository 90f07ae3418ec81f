"""Job choice: whose burst is next."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.sdram.shapes import JOB
from hw.stream.round_robin import RoundRobin

__all__ = ["JobChoice"]


class JobChoice(wiring.Component):
    """Jobs of `count` streams in turn; one is chosen a cycle before it is on offer."""

    def __init__(self, count: int) -> None:
        self._count = count
        super().__init__({"i": In(stream.Signature(JOB)).array(count), "o": Out(stream.Signature(JOB))})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.arbiter = arbiter = RoundRobin(self._count)
        chosen, free = Signal(self._count), Signal()
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready), arbiter.advance.eq(free),
            arbiter.requests.eq(Cat(offered.valid for offered in self.i) & ~chosen),
        ]
        with m.If(free):
            m.d.sync += [chosen.eq(arbiter.grant), self.o.valid.eq(arbiter.requests.any())]
        job: Value = 0
        for offered, own in zip(self.i, chosen, strict=True):
            m.d.comb += offered.ready.eq(own & self.o.ready)
            job = job | Mux(own, offered.payload.as_value(), 0)
        m.d.comb += self.o.payload.as_value().eq(job)
        return m
