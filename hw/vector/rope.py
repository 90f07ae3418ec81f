"""Rotary position embedding of integer heads."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.pipeline import Pipeline
from hw.arith.rounding import round_shift
from models.machine.tables import ANGLE_FRACTION

__all__ = ["ROPE_FRACTION", "Rope"]

ROPE_FRACTION = 4


class Rope(wiring.Component):
    """Rotate head after head by the angles of one row's position.

    Contract: golden `rope` (docs/numerics.md §6), transformers' half-split order: pairs are channels i and
    i + dim/2. A head comes in whole, channel by channel, and leaves in the same order with ROPE_FRACTION
    fraction bits added. `dim` (even, at most dim_max) and `table_base` hold still while a head is inside.

    The table has rows * dim_max words, always ready to be written by `i_table`; the angles of a position are
    dim/2 cosines, then dim/2 sines, Q1.14, from word `table_base` on.
    Widths: |x| < 2**23 and |cos|, |sin| <= 2**14 give sums below 2**38, after the shift by 10 signed(30).
    Throughput: two cycles a channel (a head is written, then read); latency from a head's last channel in to its
    first out is 5 cycles.
    """

    def __init__(self, dim_max: int, rows: int):
        if dim_max < 2 or dim_max % 2:
            raise ValueError(f"dim_max must be even, got {dim_max}")
        if rows < 1:
            raise ValueError(f"rows must be positive, got {rows}")
        self._dim_max, self._rows = dim_max, rows
        super().__init__({
            "dim": In(range(dim_max + 1)),
            "table_base": In(range(dim_max * rows)),
            "i_table": In(stream.Signature(data.StructLayout({"index": unsigned(16), "value": signed(16)}))),
            "i": In(stream.Signature(data.StructLayout({"x": signed(24), "last": 1}))),
            "o": Out(stream.Signature(data.StructLayout({"x": signed(30), "last": 1}))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.head = head = memory.Memory(shape=signed(24), depth=self._dim_max, init=[])
        m.submodules.table = table = memory.Memory(shape=signed(16), depth=self._dim_max * self._rows, init=[])
        own, other, cos, sin = head.read_port(), head.read_port(), table.read_port(), table.read_port()
        head_write, table_write = head.write_port(), table.write_port()
        m.d.comb += [
            self.i_table.ready.eq(1),
            table_write.en.eq(self.i_table.valid),
            table_write.addr.eq(self.i_table.p.index),
            table_write.data.eq(self.i_table.p.value),
        ]

        half = self.dim >> 1
        full = Signal()
        index = Signal(range(self._dim_max))
        second = Signal()  # reading the second half of the head
        angle = Mux(second, index - half, index)
        reading = stream.Signature(data.StructLayout({"second": 1, "last": 1})).create()
        m.d.comb += [
            head_write.addr.eq(index),
            head_write.data.eq(self.i.p.x),
            head_write.en.eq(self.i.valid & self.i.ready),
            self.i.ready.eq(~full),
            reading.valid.eq(full),
            reading.p.second.eq(second),
            reading.p.last.eq(index == self.dim - 1),
            own.addr.eq(index),
            other.addr.eq(Mux(second, index - half, index + half)),
            cos.addr.eq(self.table_base + angle),
            sin.addr.eq(self.table_base + half + angle),
        ]
        m.d.comb += second.eq(index >= half)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [index.eq(Mux(self.i.p.last, 0, index + 1)), full.eq(self.i.p.last)]
        with m.If(reading.valid & reading.ready):
            m.d.sync += [index.eq(Mux(reading.p.last, 0, index + 1)), full.eq(~reading.p.last)]

        p = Pipeline(m, reading, self.o)
        m.d.comb += [port.en.eq(p.advance) for port in (own, other, cos, sin)]
        second, last = p.step(reading.p.second, reading.p.last)
        x, y, c, s, second, last = p.step(own.data, other.data, cos.data, sin.data, second, last)
        straight, crossed, second, last = p.step(x * c, y * s, second, last)
        # first half a cos - b sin, second half b cos + a sin
        total, last = p.step(Mux(second, straight + crossed, straight - crossed), last)
        rounded, last = p.step(round_shift(total, ANGLE_FRACTION - ROPE_FRACTION), last)
        p.finish(x=rounded, last=last)
        return m
