# amaranth: UnusedElaboratable=no
"""Reserved queue: behind a pipeline that does not stop, nothing is lost, and a transfer a cycle goes through."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.stream.reserved_queue import ReservedQueue
from sim.runner import run_bench

LATENCY = 4


class _Pipelined(wiring.Component):
    """A stream through LATENCY registers into a queue of LATENCY + 3."""

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(9)), "o": Out(stream.Signature(9))})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.queue = queue = ReservedQueue(9, LATENCY + 3)
        connect(m, queue.o, flipped(self.o))
        m.d.comb += [self.i.ready.eq(queue.free), queue.reserve.eq(self.i.valid & queue.free)]
        valid, payload = queue.reserve, self.i.payload
        for _ in range(LATENCY):
            before, (valid, payload) = (valid, payload), (Signal(), Signal(9, reset_less=True))
            m.d.sync += [valid.eq(before[0]), payload.eq(before[1])]
        m.d.comb += [queue.i.valid.eq(valid), queue.i.payload.eq(payload)]
        return m


def test_transfers_in_order():
    run_bench(_Pipelined(), "tests.hw.stream.register_slice_bench", {"transfers": 300})
