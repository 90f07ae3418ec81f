"""From a linear layer's sums to queries on chip, or to keys and values in the cache."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arith.scalar import SCALAR
from hw.arith.scalar_unit import ScalarPort
from hw.attention.query_memory import QUERY, QUERY_SCALE
from hw.linear.reader import SUM_ELEMENT
from hw.memory.shapes import WRITE_BEAT
from hw.vector.head_quant import HeadQuant
from hw.vector.kv_writer import KV_TARGET, KVWriter
from hw.vector.rope import Rope

__all__ = ["HEADS", "HeadPath"]

HEADS = data.StructLayout({
    "rotate": 1,  # queries and keys
    "cached": 1,  # keys and values
    "row": unsigned(8),
    "dim": unsigned(16),
    "table_base": unsigned(16),
    "scale": SCALAR,  # value of one unit of what is quantised: of a sum, or of a rotated sum
    "target": KV_TARGET,  # where `cached`; its `heads` counts always
})


class HeadPath(wiring.Component):
    """Rotate and quantise the heads of one row; send them as queries, or write them to the cache.

    A transfer on `start` begins a row; its heads * dim sums come on `i_sums`. Queries leave in 16 bits on `o_query` and
    `o_query_scale`, keys and values in kv_bits through `o_write`. `busy` from the start until the last
    of these was taken. Golden: `rope` (where `rotate`) and `head_quant`; `KVWriter` for the layout.
    Throughput: 2 dim + about 70 cycles a head, a first head's rotation aside.
    """

    def __init__(self, *, dim_max: int, rows: int, kv_bits: int, ports: int):
        self._dim_max, self._rows, self._kv_bits, self._ports = dim_max, rows, kv_bits, ports
        super().__init__({
            "start": In(stream.Signature(HEADS)),
            "i_sums": In(stream.Signature(SUM_ELEMENT)),
            "i_table": In(stream.Signature(data.StructLayout({"index": unsigned(16), "value": 16}))),
            "scalar": Out(ScalarPort()),
            "o_query": Out(stream.Signature(QUERY)),
            "o_query_scale": Out(stream.Signature(QUERY_SCALE)),
            "o_write": Out(stream.Signature(WRITE_BEAT)),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.rope = rope = Rope(self._dim_max, self._rows)
        m.submodules.quant = quant = HeadQuant(self._dim_max)
        m.submodules.writer = writer = KVWriter(self._kv_bits, self._ports)
        connect(m, quant.scalar, flipped(self.scalar))
        connect(m, writer.o_write, flipped(self.o_write))

        row = Signal(HEADS, reset_less=True)
        m.d.comb += [
            rope.i_table.valid.eq(self.i_table.valid),
            self.i_table.ready.eq(rope.i_table.ready),
            rope.i_table.p.index.eq(self.i_table.p.index),
            rope.i_table.p.value.eq(self.i_table.p.value),
            rope.dim.eq(row.dim),
            rope.table_base.eq(row.table_base),
            quant.scale.eq(row.scale),
            quant.narrow.eq(row.cached & (self._kv_bits == 8)),
        ]

        # Sums of a row come in one piece; heads are cut here.
        channel = Signal(16, reset_less=True)
        head_ends = channel == row.dim - 1
        with m.If(self.i_sums.valid & self.i_sums.ready):
            m.d.sync += channel.eq(Mux(head_ends, 0, channel + 1))
        m.d.comb += [
            rope.i.valid.eq(self.i_sums.valid & row.rotate),
            rope.i.p.x.eq(self.i_sums.p.value),
            rope.i.p.last.eq(head_ends),
            self.i_sums.ready.eq(Mux(row.rotate, rope.i.ready, quant.i.ready)),
            rope.o.ready.eq(quant.i.ready),
        ]
        with m.If(row.rotate):
            m.d.comb += [quant.i.valid.eq(rope.o.valid), quant.i.p.eq(rope.o.p)]
        with m.Else():
            m.d.comb += [quant.i.valid.eq(self.i_sums.valid), quant.i.p.x.eq(self.i_sums.p.value),
                         quant.i.p.last.eq(head_ends)]

        index, head, scale_head = Signal(16), Signal(8), Signal(8)
        m.d.comb += [
            self.o_query.p.row.eq(row.row),
            self.o_query.p.head.eq(head),
            self.o_query.p.index.eq(index),
            self.o_query.p.value.eq(quant.o.p.value),
            self.o_query_scale.p.row.eq(row.row),
            self.o_query_scale.p.head.eq(scale_head),
            self.o_query_scale.p.scale.eq(quant.o_scale.p),
            writer.i.p.eq(quant.o.p),
            writer.i_scale.p.eq(quant.o_scale.p),
            writer.start.p.eq(self.start.p.target),
        ]
        running = Signal()
        with m.If(row.cached):
            m.d.comb += [writer.i.valid.eq(quant.o.valid), quant.o.ready.eq(writer.i.ready),
                         writer.i_scale.valid.eq(quant.o_scale.valid), quant.o_scale.ready.eq(writer.i_scale.ready)]
        with m.Else():
            m.d.comb += [self.o_query.valid.eq(quant.o.valid), quant.o.ready.eq(self.o_query.ready),
                         self.o_query_scale.valid.eq(quant.o_scale.valid),
                         quant.o_scale.ready.eq(self.o_query_scale.ready)]
        with m.If(self.o_query.valid & self.o_query.ready):
            m.d.sync += index.eq(Mux(quant.o.p.last, 0, index + 1))
        with m.If(quant.o.valid & quant.o.ready & quant.o.p.last):
            m.d.sync += head.eq(head + 1)
        with m.If(quant.o_scale.valid & quant.o_scale.ready):
            m.d.sync += scale_head.eq(scale_head + 1)

        heads = row.target.heads
        m.d.comb += [
            self.busy.eq(running),
            self.start.ready.eq(~running & (writer.start.ready | ~self.start.p.cached)),
            writer.start.valid.eq(self.start.valid & self.start.ready & self.start.p.cached),
        ]
        with m.If(running & (head == heads) & (scale_head == heads) & ~writer.busy):
            m.d.sync += running.eq(0)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += [row.eq(self.start.p), running.eq(1), channel.eq(0), index.eq(0), head.eq(0), scale_head.eq(0)]
        return m
