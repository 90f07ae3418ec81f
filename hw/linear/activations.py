"""Activation memory: filled LANES elements at a time, read in words of a few elements of a whole batch of rows."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.memory.ram_style import ram_attributes
from models.machine.build import LANES

__all__ = ["ActivationMemory", "activation_layout"]


def activation_layout(value_bits: int) -> data.StructLayout:
    """LANES elements of a vector of activations, from element `index` on, a multiple of LANES."""
    return data.StructLayout({"row": 8, "index": 16, "values": data.ArrayLayout(signed(value_bits), LANES)})


class ActivationMemory(wiring.Component):
    """`rows` x `batches` vectors of `depth` x `lanes` signed values. Row r is row r % rows of batch r // rows.

    `i`: LANES elements; always ready. They can be read two cycles after their transfer. Elements that were never
    written hold what an earlier vector left there.
    `address`, `batch` -> `words`: elements address * lanes and on of all rows of the batch, one cycle later.

    rows, batches and lanes are powers of two, lanes from LANES on, depth is taken up to one. One memory of rows * lanes
    values a word, so that a wide and shallow store becomes a few deep blocks; written through its lanes' enables.
    """

    def __init__(self, value_bits: int, lanes: int, depth: int, rows: int, batches: int = 1) -> None:
        if min(value_bits, lanes, depth, rows, batches) < 1:
            raise ValueError("value_bits, lanes, depth, rows and batches must be positive")
        if lanes % LANES:
            raise ValueError(f"lanes must be a multiple of {LANES}, got {lanes}")
        self._row_bits, self._batch_bits, self._lane_bits = (exact_log2(n) for n in (rows, batches, lanes))
        self._value_bits, self._lanes, self._depth, self._rows, self._batches = value_bits, lanes, depth, rows, batches
        self._word = data.ArrayLayout(data.ArrayLayout(signed(value_bits), lanes), rows)
        super().__init__({
            "i": In(stream.Signature(activation_layout(value_bits))),
            "address": In(range(depth)),
            "batch": In(range(batches)),
            "words": Out(self._word),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        address_bits = (self._depth - 1).bit_length()
        depth = self._batches << address_bits
        m.submodules.memory = memory = Memory(shape=self._word.size, depth=depth, init=[],
                                              attrs=ram_attributes(depth, platform))
        write, read = memory.write_port(granularity=LANES * self._value_bits), memory.read_port()

        element = self.i.payload
        row, index = element.row, element.index
        m.d.comb += self.i.ready.eq(1)
        batch = row[self._row_bits:self._row_bits + self._batch_bits]
        part = Cat(index[exact_log2(LANES):self._lane_bits], row[:self._row_bits])
        enable = Signal(len(write.en))
        values = Signal(LANES * self._value_bits, reset_less=True)
        m.d.sync += [
            enable.eq(Cat(self.i.valid & (part == n) for n in range(len(enable)))),
            write.addr.eq(Cat(index[self._lane_bits:self._lane_bits + address_bits], batch)),
            values.eq(Value.cast(element["values"])),
        ]
        m.d.comb += [
            write.en.eq(enable),
            write.data.eq(values.replicate(len(enable))),
            read.addr.eq(Cat(self.address, self.batch) if self._batches > 1 else self.address),
            Value.cast(self.words).eq(read.data),
        ]
        return m
