"""Session: which requests are executed, and which were already."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.machine.link import REPEATS, LinkStatus

__all__ = ["Session"]


class Session(wiring.Component):
    """The board's session and the sequence expected next, by the rules of docs/link.md.

    A cycle after `sequence`, `session` and `reads` of a request that is not HELLO: `status` is OK, NOT_GREETED,
    OUT_OF_ORDER or TOO_LATE, and `repeat` high where it was executed before.

    Pulses: `greet` begins the request's session, unless that is `current` already; `execute` counts the request as
    executed; `change` tells that one that is no read begins to be.
    """

    def __init__(self) -> None:
        super().__init__({
            "sequence": In(8), "session": In(16), "reads": In(1),
            "greet": In(1), "execute": In(1), "change": In(1),
            "current": Out(16), "expected": Out(8), "status": Out(LinkStatus), "repeat": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        # of the requests before the expected one: executed in this session; only reads, from the last one back
        executed, reads = Signal(range(REPEATS + 1)), Signal(range(REPEATS + 1))
        behind = Signal(8)
        m.d.comb += behind.eq(self.expected - self.sequence)

        m.d.sync += self.repeat.eq(behind != 0)
        with m.If((self.session != self.current) | (self.current == 0)):
            m.d.sync += self.status.eq(LinkStatus.NOT_GREETED)
        with m.Elif(behind > executed):
            m.d.sync += self.status.eq(LinkStatus.OUT_OF_ORDER)
        with m.Elif(self.reads & (behind > reads)):
            m.d.sync += self.status.eq(LinkStatus.TOO_LATE)
        with m.Else():
            m.d.sync += self.status.eq(LinkStatus.OK)

        def one_more(count: Signal) -> Mux:
            return Mux(count == REPEATS, count, count + 1)

        with m.If(self.greet & (self.session != self.current)):
            m.d.sync += [self.current.eq(self.session), self.expected.eq(self.sequence + 1), executed.eq(0),
                         reads.eq(0)]
        with m.If(self.execute):
            m.d.sync += [self.expected.eq(self.expected + 1), executed.eq(one_more(executed))]
            with m.If(self.reads):
                m.d.sync += reads.eq(one_more(reads))
        with m.If(self.change):
            m.d.sync += reads.eq(0)
        return m
