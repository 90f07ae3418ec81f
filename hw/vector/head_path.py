"""From a linear layer's sums to queries on chip, or to keys and values in the cache."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arith.scalar import SCALAR
from hw.arith.scalar_unit import ScalarPort
from hw.attention.query_memory import QUERY_SCALE, query_part
from hw.linear.reader import sum_word
from hw.memory.burst_former import BurstPort
from hw.vector.head_quant import HeadQuant
from hw.vector.kv_walk import KV_TARGET
from hw.vector.kv_writer import KVWriter
from hw.vector.rescale import RescalePort
from hw.vector.rope import Rope, angle_write
from models.machine.build import BuildParameters

__all__ = ["HEADS", "HeadPath"]

HEADS = data.StructLayout({
    "rotate": 1,  # queries and keys
    "cached": 1,  # keys and values
    "row": unsigned(8),
    "words": unsigned(9),  # of a head
    "table_base": unsigned(16),  # first word of the row's angles
    "scale": SCALAR,  # value of one unit of what is quantised, a sum or a rotated sum, over the levels
    "target": KV_TARGET,  # where `cached`; its `heads` counts always
})


class HeadPath(wiring.Component):
    """Rotate and quantise the heads of one row; send them as queries, or write them to the cache.

    A transfer on `start` begins a row; the words of its heads' sums come on `i_sums`, their `last` ignored. Queries
    leave in 16 bits on `o_query` and `o_query_scale`, keys and values in the cache's format through `write`, those of
    some rows together (`KVWriter`).
    `busy` from the start until the last of these has left. Golden: `rope` (where `rotate`) and `head_quant`;
    `KVWriter` for the layout. Rescaling and scalar unit are shared with others.
    Throughput: a head in dim / lanes + 1 or 25 cycles, whichever is more; about 3 dim / lanes + 80 for a
    first head.
    """

    def __init__(self, build: BuildParameters) -> None:
        self._build, lanes = build, build.lanes
        super().__init__({
            "start": In(stream.Signature(HEADS)),
            "i_sums": In(stream.Signature(sum_word(lanes))),
            "i_table": In(stream.Signature(angle_write(lanes), always_ready=True)),
            "rescale": Out(RescalePort(lanes)),
            "scalar": Out(ScalarPort()),
            "o_query": Out(stream.Signature(query_part(lanes), always_ready=True)),
            "o_query_scale": Out(stream.Signature(QUERY_SCALE, always_ready=True)),
            "write": Out(BurstPort()),
            "busy": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        build = self._build
        m.submodules.rope = rope = Rope(build.head_dim_max, build.slots, build.lanes)
        m.submodules.quant = quant = HeadQuant(build.head_dim_max, kv_bits=build.kv_bits, lanes=build.lanes)
        m.submodules.writer = writer = KVWriter(kv_bits=build.kv_bits, ports=build.ports, rows=build.attention_rows,
                                                heads=build.heads_max, beats=build.cache_beats, lanes=build.lanes)
        connect(m, quant.scalar, flipped(self.scalar))
        connect(m, quant.rescale, flipped(self.rescale))
        connect(m, writer.write, flipped(self.write))
        connect(m, flipped(self.i_table), rope.i_table)
        connect(m, rope.o, quant.i)

        row = Signal(HEADS, reset_less=True)
        cached = Signal()
        m.d.sync += cached.eq(row.cached)
        m.d.comb += [
            rope.words.eq(row.words), rope.rotate.eq(row.rotate), rope.table_base.eq(row.table_base),
            rope.room.eq(quant.room), quant.started.eq(rope.started),
            quant.words.eq(row.words), quant.scale.eq(row.scale), quant.cached.eq(cached),
        ]

        # Sums of a row come in one piece; heads are cut here.
        left, ends = Signal(9, reset_less=True), Signal(reset_less=True)
        m.d.comb += [
            rope.i.valid.eq(self.i_sums.valid), self.i_sums.ready.eq(rope.i.ready),
            Value.cast(rope.i.p.x).eq(Value.cast(self.i_sums.p.values)), rope.i.p.last.eq(ends),
        ]
        with m.If(self.i_sums.valid & self.i_sums.ready):
            m.d.sync += [left.eq(left - 1), ends.eq(left == 2)]
            with m.If(ends):
                m.d.sync += [left.eq(row.words), ends.eq(row.words == 1)]

        head_ends, scale_there = quant.o.valid & quant.o.p.last, quant.o_scale.valid
        index, head, scale_head = Signal(16), Signal(8), Signal(8)
        m.d.comb += [
            self.o_query.valid.eq(quant.o.valid & ~row.cached),
            self.o_query.p.row.eq(row.row),
            self.o_query.p.head.eq(head),
            self.o_query.p.index.eq(index),
            Value.cast(self.o_query.p.values).eq(Value.cast(quant.o.p.values)),
            self.o_query_scale.valid.eq(scale_there & ~row.cached),
            self.o_query_scale.p.row.eq(row.row),
            self.o_query_scale.p.head.eq(scale_head),
            self.o_query_scale.p.scale.eq(quant.o_scale.p),
        ]
        m.d.sync += [head.eq(head + head_ends), scale_head.eq(scale_head + scale_there)]
        with m.If(quant.o.valid):
            m.d.sync += index.eq(index + build.lanes)
        with m.If(head_ends):
            m.d.sync += index.eq(0)
        m.d.comb += [
            writer.i.valid.eq(quant.o.valid & row.cached), writer.i.p.eq(quant.o.p),
            writer.i_scale.valid.eq(scale_there & row.cached), writer.i_scale.p.eq(quant.o_scale.p),
        ]

        running, ended = Signal(), Signal()
        start = self.start.valid & self.start.ready
        m.d.comb += [
            self.busy.eq(running),
            self.start.ready.eq(~running & writer.start.ready),
            writer.start.valid.eq(start & self.start.p.cached),
            writer.start.p.eq(self.start.p.target),
        ]
        m.d.sync += ended.eq((head == row.target.heads) & (scale_head == row.target.heads) & ~writer.busy)
        with m.If(running & ended):
            m.d.sync += running.eq(0)
        with m.If(start):
            m.d.sync += [row.eq(self.start.p), running.eq(1), index.eq(0), head.eq(0), scale_head.eq(0), ended.eq(0),
                         left.eq(self.start.p.words), ends.eq(self.start.p.words == 1)]
        return m
