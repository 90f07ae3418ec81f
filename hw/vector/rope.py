"""Rotary position embedding of integer heads."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arith.multiply_add import registered_product
from hw.arith.rounding import round_shift
from hw.stream.shallow_memory import shallow_attributes
from models.machine.build import HEAD_UNIT
from models.machine.tables import ANGLE_FRACTION

__all__ = ["ROPE_FRACTION", "ROTATED_BITS", "Rope", "angle_write", "rotated_word"]

ROPE_FRACTION = 4
ROTATED_BITS = 30

_SHIFT = ANGLE_FRACTION - ROPE_FRACTION
_HEADS = 2  # one comes in while one goes out
_STEPS = 7  # reads, memories, their words held, operands, products, totals


def angle_write(lanes: int) -> data.StructLayout:
    """A word of the table, by its number."""
    return data.StructLayout({"index": unsigned(16), "angles": data.ArrayLayout(signed(16), lanes)})


def rotated_word(words: int, lanes: int) -> data.StructLayout:
    """Channels of a head of up to `words` words, and which of its words they are."""
    return data.StructLayout({"x": data.ArrayLayout(signed(ROTATED_BITS), lanes), "index": range(words), "last": 1})


class Rope(wiring.Component):
    """Rotate head after head by the angles of one row's position, or pass them as they are.

    Contract: golden `rope` (docs/numerics.md §6), transformers' half-split order: pairs are channels i and
    i + dim/2; ROPE_FRACTION fraction bits are added. Without `rotate`: x itself. A head comes in word by word,
    channel 0 first; it leaves in the order of the pairs' words, 0, half, 1, half + 1 and so on, each with its
    `index`. `words` (words of a head, even, at most dim_max / lanes), `rotate` and `table_base` hold still while
    a head is inside. `room` lets the next head leave, `started` says that it does.

    The table has `rows` times dim_max angles, always ready to be written by `i_table` (words); the angles of a
    position are dim/2 cosines, then dim/2 sines, Q1.14, from word `table_base` on.
    Widths: |x| < 2**23 and |cos|, |sin| <= 2**14 give sums below 2**38, after the shift by 10 signed(30).
    Throughput: one word a cycle, two heads inside; 9 cycles from a head's last word in to its first out.
    """

    def __init__(self, dim_max: int, rows: int, lanes: int) -> None:
        if dim_max < 1 or dim_max % HEAD_UNIT:
            raise ValueError(f"dim_max must be a multiple of {HEAD_UNIT}, got {dim_max}")
        if rows < 1:
            raise ValueError(f"rows must be positive, got {rows}")
        self._words, self._rows, self._lanes = dim_max // lanes, rows, lanes
        super().__init__({
            "words": In(range(self._words + 1)),
            "rotate": In(1),
            "table_base": In(range(self._words * rows)),
            "i_table": In(stream.Signature(angle_write(lanes), always_ready=True)),
            "i": In(stream.Signature(data.StructLayout({"x": data.ArrayLayout(signed(24), lanes), "last": 1}))),
            "room": In(1),
            "started": Out(1),
            "o": Out(stream.Signature(rotated_word(self._words, lanes), always_ready=True)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        lanes, bits = self._lanes, ceil_log2(self._words)
        head_shape, angles = self.i.p.x.shape(), self.i_table.p.angles.shape()
        m.submodules.heads = heads = Memory(shape=head_shape, depth=_HEADS << bits, init=[],
                                            attrs=shallow_attributes(platform, "distributed"))
        m.submodules.table = table = Memory(shape=angles, depth=self._words * self._rows, init=[],
                                            attrs={"ram_style": "block"})
        write, read = heads.write_port(), heads.read_port()
        write_table, read_table = table.write_port(), table.read_port()
        m.d.comb += [
            write_table.en.eq(self.i_table.valid),
            write_table.addr.eq(self.i_table.p.index),
            write_table.data.eq(self.i_table.p.angles),
        ]

        full, filling, leaving = Signal(_HEADS), Signal(), Signal()
        filled, opened = Signal(range(self._words)), Signal()  # `opened`: there is room where the head comes in
        m.d.sync += opened.eq(~full.bit_select(filling ^ (write.en & self.i.p.last), 1))
        m.d.comb += [
            self.i.ready.eq(opened),
            write.addr.eq(Cat(filled, filling)),
            write.data.eq(self.i.p.x),
            write.en.eq(self.i.valid & self.i.ready),
        ]
        with m.If(write.en):
            m.d.sync += filled.eq(Mux(self.i.p.last, 0, filled + 1))
            with m.If(self.i.p.last):
                m.d.sync += [full.bit_select(filling, 1).eq(1), filling.eq(~filling)]

        # pairs of words: first half, second half
        reading, second, first_index = Signal(), Signal(), Signal(range(self._words))
        half = self.words >> 1
        left = Signal(range(self._words), reset_less=True)  # pairs
        index = Signal(range(self._words))
        ends = Signal()
        m.d.comb += [
            self.started.eq(~reading & full.bit_select(leaving, 1) & self.room),
            index.eq(Mux(second, first_index + half, first_index)),
            ends.eq(second & (left == 1)),
            read.addr.eq(Cat(index, leaving)),
            read_table.addr.eq(self.table_base + index),
        ]
        with m.If(self.started):
            m.d.sync += [reading.eq(1), second.eq(0), first_index.eq(0), left.eq(half)]
        with m.If(reading):
            m.d.sync += [second.eq(~second), first_index.eq(first_index + second), left.eq(left - second)]
            with m.If(ends):
                m.d.sync += [reading.eq(0), full.bit_select(leaving, 1).eq(0), leaving.eq(~leaving)]

        # Behind the memories: a and cos in the first cycle of a pair, b and sin in the second.
        tag = data.StructLayout({"valid": 1, "second": 1, "last": 1, "index": range(self._words)})
        tags = [Signal(tag, name=f"tag_{n}") for n in range(_STEPS)]
        m.d.comb += [tags[0].valid.eq(reading), tags[0].second.eq(second), tags[0].last.eq(ends),
                     tags[0].index.eq(index)]
        m.d.sync += [after.eq(before) for before, after in zip(tags, tags[1:], strict=False)]
        value, angle = Signal(head_shape, reset_less=True), Signal(angles, reset_less=True)
        held, held_angle = Signal(head_shape, reset_less=True), Signal(angles, reset_less=True)
        m.d.sync += [value.eq(read.data), angle.eq(read_table.data), held.eq(value), held_angle.eq(angle)]

        # tags[2]: value; tags[3], first of a pair: a and cos are held, b and sin are there
        x, y, cos, sin = (Signal(shape, reset_less=True, name=name) for shape, name in (
            (head_shape, "x"), (head_shape, "y"), (angles, "cos"), (angles, "sin")))
        with m.If(tags[3].second):
            m.d.sync += [Value.cast(x).eq(Value.cast(y)), Value.cast(y).eq(Value.cast(x))]
        with m.Else():
            m.d.sync += [x.eq(held), y.eq(value)]
            for n in range(lanes):
                m.d.sync += [cos[n].eq(Mux(self.rotate, held_angle[n], 1 << _SHIFT)),
                             sin[n].eq(Mux(self.rotate, angle[n], 0))]
        total = Signal(data.ArrayLayout(signed(41), lanes), reset_less=True)
        for n in range(lanes):
            straight, crossed = (registered_product(m, platform, *pair) for pair in ((x[n], cos[n]), (y[n], sin[n])))
            m.d.sync += [
                # first half a cos - b sin, second half b cos + a sin
                total[n].eq(Mux(tags[5].second, straight + crossed, straight - crossed)),
                self.o.p.x[n].eq(round_shift(total[n], _SHIFT)),
            ]
        m.d.sync += [self.o.valid.eq(tags[6].valid), self.o.p.last.eq(tags[6].last),
                     self.o.p.index.eq(tags[6].index)]
        return m
