"""Stream router: weight and head streams from the ports to their engines, without what is not of use."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.stream.queue import Queue

__all__ = ["STREAM_TAG", "StreamRouter"]

STREAM_TAG = data.StructLayout({"skip": 4, "used": 32, "padding": 4, "head": 1})
"""A stream's beats, in their order: how many are dropped, used (at least one) and dropped again; and whose it is."""

_STREAMS = 8  # that may be on their way


class StreamRouter(wiring.Component):
    """Passes each stream's beats to `o_weights` or `o_head` and drops those before and behind.

    `tags`: one for each stream, in order, at any time before its beats; up to 8 wait. Combinational from `i` to the
    outputs; backpressure passes through, what is dropped takes a cycle a beat. A cycle is lost between streams.
    """

    def __init__(self, width: int) -> None:
        port = stream.Signature(width)
        super().__init__({
            "tags": In(stream.Signature(STREAM_TAG)),
            "i": In(port),
            "o_weights": Out(port),
            "o_head": Out(port),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.queue = queue = Queue(STREAM_TAG, _STREAMS, buffered=True)
        connect(m, flipped(self.tags), queue.i)
        tag = queue.o.p
        used, dropped, padding = Signal(32), Signal(4), Signal(4)  # left of the stream; `dropped` of what comes first
        weights, head, drop = Signal(), Signal(), Signal()  # where the next beat goes
        skipping, to_head = Signal(), Signal()

        m.d.comb += [
            self.o_weights.payload.eq(self.i.payload), self.o_head.payload.eq(self.i.payload),
            self.o_weights.valid.eq(self.i.valid & weights), self.o_head.valid.eq(self.i.valid & head),
            self.i.ready.eq((weights & self.o_weights.ready) | (head & self.o_head.ready) | drop),
        ]
        with m.If(self.i.valid & self.i.ready):
            with m.If(drop):
                m.d.sync += dropped.eq(dropped - 1)
                with m.If(dropped == 1):
                    m.d.sync += [drop.eq(0), skipping.eq(0), dropped.eq(padding),
                                 weights.eq(skipping & ~to_head), head.eq(skipping & to_head)]
            with m.Else():
                m.d.sync += used.eq(used - 1)
                with m.If(used == 1):
                    m.d.sync += [weights.eq(0), head.eq(0), drop.eq(padding != 0)]
        with m.If(~weights & ~head & ~drop):
            m.d.comb += queue.o.ready.eq(1)
            skips = tag.skip != 0
            m.d.sync += [used.eq(tag.used), padding.eq(tag.padding), dropped.eq(Mux(skips, tag.skip, tag.padding)),
                         to_head.eq(tag.head), skipping.eq(skips), drop.eq(queue.o.valid & skips),
                         weights.eq(queue.o.valid & ~skips & ~tag.head), head.eq(queue.o.valid & ~skips & tag.head)]
        return m
