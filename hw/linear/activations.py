"""Activation memory: filled some elements at a time, read in words of a few elements of a whole batch of rows."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.memory.ram_style import ram_attributes
from hw.stream.shallow_memory import shallow_attributes

__all__ = ["ActivationMemory", "activation_layout"]


def activation_layout(value_bits: int, lanes: int) -> data.StructLayout:
    """`lanes` elements of a vector of activations, from element `index` on, a multiple of lanes."""
    return data.StructLayout({"row": 8, "index": 16, "values": data.ArrayLayout(signed(value_bits), lanes)})


class ActivationMemory(wiring.Component):
    """`rows` x `batches` vectors of `depth` x `word` signed values. Row r is row r % rows of batch r // rows.

    `i`: `lanes` elements; always ready. They can be read two cycles after their transfer. Elements that were never
    written hold what an earlier vector left there.
    `address`, `batch` -> `words`: elements address * word and on of all rows of the batch, one cycle later.

    rows, batches, word and lanes are powers of two, word from lanes on, depth is taken up to one. One memory of rows *
    word values a word, so that a wide and shallow store becomes a few deep blocks; written through its lanes' enables.
    """

    def __init__(self, value_bits: int, word: int, depth: int, rows: int, batches: int = 1, *, lanes: int) -> None:
        if min(value_bits, word, depth, rows, batches, lanes) < 1:
            raise ValueError("value_bits, word, depth, rows, batches and lanes must be positive")
        if word % lanes:
            raise ValueError(f"word must be a multiple of {lanes} lanes, got {word}")
        self._row_bits, self._batch_bits, self._word_bits = (exact_log2(n) for n in (rows, batches, word))
        self._value_bits, self._lanes, self._depth, self._batches = value_bits, lanes, depth, batches
        self._word = data.ArrayLayout(data.ArrayLayout(signed(value_bits), word), rows)
        super().__init__({
            "i": In(stream.Signature(activation_layout(value_bits, lanes))),
            "address": In(range(depth)),
            "batch": In(range(batches)),
            "words": Out(self._word),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        address_bits = (self._depth - 1).bit_length()
        depth = self._batches << address_bits
        m.submodules.memory = memory = Memory(shape=self._word.size, depth=depth, init=[],
                                              attrs=ram_attributes(depth, platform) or shallow_attributes(platform))
        write, read = memory.write_port(granularity=self._lanes * self._value_bits), memory.read_port()

        element = self.i.payload
        row, index = element.row, element.index
        m.d.comb += self.i.ready.eq(1)
        batch = row[self._row_bits:self._row_bits + self._batch_bits]
        part = Cat(index[exact_log2(self._lanes):self._word_bits], row[:self._row_bits])
        enable = Signal(len(write.en))
        values = Signal(self._lanes * self._value_bits, reset_less=True)
        m.d.sync += [
            enable.eq(Cat(self.i.valid & (part == n) for n in range(len(enable)))),
            write.addr.eq(Cat(index[self._word_bits:self._word_bits + address_bits], batch)),
            values.eq(Value.cast(element["values"])),
        ]
        m.d.comb += [
            write.en.eq(enable),
            write.data.eq(values.replicate(len(enable))),
            read.addr.eq(Cat(self.address, self.batch) if self._batches > 1 else self.address),
            Value.cast(self.words).eq(read.data),
        ]
        return m
