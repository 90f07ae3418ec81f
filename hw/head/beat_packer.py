"""Arrays of small items, element by element, to the write beats that store them."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import ADDRESS_BITS, DATA_BITS
from hw.memory.shapes import WRITE_BEAT

__all__ = ["BeatPacker"]


class BeatPacker(wiring.Component):
    """Stores item `index` of row `row` at base + row * stride + index * item bytes, in as few beats as possible.

    `start` (while nothing is under way nor offered): rows of `length` items follow, each row from index 0 on, row by
    row or all rows item by item. `base` and `stride` are multiples of 16. After `rows` cycles the items are
    taken, one a cycle. A row's last beat may be partial: its strobes leave the rest of the memory alone.
    `idle`: every item taken has left, as part of a beat or not at all yet.
    """

    def __init__(self, item_bits: int, rows: int) -> None:
        if item_bits % 8 or DATA_BITS % item_bits or DATA_BITS == item_bits:
            raise ValueError(f"several items of whole bytes must fill a beat of {DATA_BITS} bits, got {item_bits}")
        self._item_bits, self._rows = item_bits, rows
        super().__init__({
            "start": In(1),
            "base": In(ADDRESS_BITS),
            "stride": In(ADDRESS_BITS),
            "length": In(24),
            "i": In(stream.Signature(data.StructLayout({"row": 8, "index": 24, "item": item_bits}))),
            "o": Out(stream.Signature(WRITE_BEAT)),
            "idle": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        item_bytes, items = self._item_bits // 8, DATA_BITS // self._item_bits
        bases = Array(Signal(ADDRESS_BITS, name=f"base_{row}", reset_less=True) for row in range(self._rows))
        partial = Array(Signal(DATA_BITS, name=f"partial_{row}", reset_less=True) for row in range(self._rows))
        address, stride = Signal(ADDRESS_BITS, reset_less=True), Signal(ADDRESS_BITS, reset_less=True)
        length = Signal(24, reset_less=True)
        row = Signal(range(self._rows))
        preparing = Signal()

        with m.If(self.start):
            m.d.sync += [address.eq(self.base), stride.eq(self.stride), length.eq(self.length), row.eq(0),
                         preparing.eq(1)]
        with m.Elif(preparing):
            m.d.sync += [bases[row].eq(address), address.eq(address + stride), row.eq(row + 1)]
            with m.If(row == self._rows - 1):
                m.d.sync += preparing.eq(0)

        given = self.i.payload
        slot = given.index[:(items - 1).bit_length()]
        beat = Cat(Mux(slot == n, given.item, partial[given.row].word_select(n, self._item_bits))
                   for n in range(items))
        ends = (slot == items - 1) | (given.index == length - 1)
        m.d.comb += [
            self.i.ready.eq(~preparing & (~self.o.valid | self.o.ready)),
            self.idle.eq(~preparing & ~self.o.valid),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                self.o.valid.eq(ends),
                partial[given.row].eq(beat),
                self.o.p.data.eq(beat),
                self.o.p.address.eq(bases[given.row] + Cat(Const(0, 4), given.index[len(slot):])),
                self.o.p.strobe.eq(Cat((slot >= n).replicate(item_bytes) for n in range(items))),
            ]
        return m
