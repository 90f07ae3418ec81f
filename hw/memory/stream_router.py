"""Stream router: weight and head streams from the ports to their engines, without their padding."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["STREAM_TAG", "StreamRouter"]

STREAM_TAG = data.StructLayout({"beats": 32, "padding": 4, "head": 1})
"""A stream's beats, how many at its end are padding (fewer than all), and whose it is."""

_STREAMS = 8  # that may be on their way


class StreamRouter(wiring.Component):
    """Passes each stream's beats to `o_weights` or `o_head` and drops those that pad it.

    `tags`: one for each stream, in order, at any time before its beats; up to 8 wait. Combinational from `i` to the
    outputs; backpressure passes through, padding is dropped a beat a cycle. A cycle is lost between streams.
    """

    def __init__(self, width: int):
        port = stream.Signature(width)
        super().__init__({
            "tags": In(stream.Signature(STREAM_TAG)),
            "i": In(port),
            "o_weights": Out(port),
            "o_head": Out(port),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=STREAM_TAG.size, depth=_STREAMS)
        m.d.comb += [queue.w_en.eq(self.tags.valid), queue.w_data.eq(self.tags.payload),
                     self.tags.ready.eq(queue.w_rdy)]
        tag = data.View(STREAM_TAG, queue.r_data)
        used, padding = Signal(32), Signal(4)
        weights, head, drop = Signal(), Signal(), Signal()  # where the next beat goes

        m.d.comb += [
            self.o_weights.payload.eq(self.i.payload), self.o_head.payload.eq(self.i.payload),
            self.o_weights.valid.eq(self.i.valid & weights), self.o_head.valid.eq(self.i.valid & head),
            self.i.ready.eq((weights & self.o_weights.ready) | (head & self.o_head.ready) | drop),
        ]
        with m.If(self.i.valid & self.i.ready):
            with m.If(drop):
                m.d.sync += [padding.eq(padding - 1), drop.eq(padding != 1)]
            with m.Else():
                m.d.sync += used.eq(used - 1)
                with m.If(used == 1):
                    m.d.sync += [weights.eq(0), head.eq(0), drop.eq(padding != 0)]
        with m.If(~weights & ~head & ~drop):
            m.d.comb += queue.r_en.eq(1)
            m.d.sync += [used.eq(tag.beats - tag.padding), padding.eq(tag.padding),
                         weights.eq(queue.r_rdy & ~tag.head), head.eq(queue.r_rdy & tag.head)]
        return m
