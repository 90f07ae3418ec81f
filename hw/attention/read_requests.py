"""The reads of one ATTEND, issued ahead of their use."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["READ_REQUEST", "ReadRequests"]

READ_REQUEST = data.StructLayout({"address": 40, "bytes": 32})


class ReadRequests(wiring.Component):
    """For every row and kv head, in this order: key scales, value scales, keys, values of the row's tokens.

    A pulse on `start` takes the bases and sizes, which must hold while `busy`. Row r reads
    `tokens` + r tokens, 4 bytes of scale and `row_bytes` of keys or values each, from
    base + kv head * head_bytes. Requests go out as fast as they are taken, so the reader may run ahead
    of the computation by as many as it queues; `bytes` is not rounded to beats.
    """

    def __init__(self, *, rows: int, context_max: int):
        super().__init__({
            "start": In(1),
            "tokens": In(range(context_max + 1)),
            "rows": In(range(rows + 1)),
            "kv_heads": In(8),
            "row_bytes": In(16),
            "head_bytes": In(32),
            "key_scales": In(40),
            "value_scales": In(40),
            "keys": In(40),
            "values": In(40),
            "busy": Out(1),
            "o": Out(stream.Signature(READ_REQUEST)),
        })

    def elaborate(self, platform):
        m = Module()
        row, head, which = Signal.like(self.rows), Signal(8), Signal(2)
        offset = Signal(40)
        tokens, row_size = Signal.like(self.tokens), Signal(32)
        bases = Array((self.key_scales, self.value_scales, self.keys, self.values))
        request = Signal(READ_REQUEST, reset_less=True)
        m.d.comb += [self.o.payload.eq(request), self.busy.eq(1)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [tokens.eq(self.tokens), row.eq(0), head.eq(0), which.eq(0), offset.eq(0)]
                with m.If(self.start):
                    m.next = "SIZE"
            with m.State("SIZE"):
                m.d.sync += row_size.eq(tokens * self.row_bytes)
                m.next = "PREPARE"
            with m.State("PREPARE"):
                m.d.sync += [request.address.eq(bases[which] + offset),
                             request.bytes.eq(Mux(which[1], row_size, tokens << 2))]
                m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "PREPARE"
                    m.d.sync += which.eq(which + 1)
                    with m.If(which == 3):
                        m.d.sync += [head.eq(head + 1), offset.eq(offset + self.head_bytes)]
                        with m.If(head == self.kv_heads - 1):
                            m.d.sync += [head.eq(0), offset.eq(0), row.eq(row + 1), tokens.eq(tokens + 1)]
                            m.next = "SIZE"
                            with m.If(row == self.rows - 1):
                                m.next = "IDLE"
        return m
