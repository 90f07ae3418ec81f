"""Activation memory: filled element by element, read in words of a few elements of a whole batch of rows."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

__all__ = ["ActivationMemory", "activation_layout"]

_ULTRA_DEPTH = 2048  # words from which on UltraRAM is the smaller choice


def activation_layout(value_bits: int) -> data.StructLayout:
    """One element of a vector of activations."""
    return data.StructLayout({"row": 8, "index": 16, "value": signed(value_bits)})


class ActivationMemory(wiring.Component):
    """`rows` x `batches` vectors of `depth` x `lanes` signed values. Row r is row r % rows of batch r // rows.

    `i`: elements; always ready. An element can be read two cycles after its transfer. Elements that were never
    written hold what an earlier vector left there.
    `address`, `batch` -> `words`: elements address * lanes and on of all rows of the batch, one cycle later.

    rows, batches and lanes are powers of two, depth is taken up to one. One memory of rows * lanes values a word, so
    that a wide and shallow store becomes a few deep blocks; written through its lanes' enables.
    """

    def __init__(self, value_bits: int, lanes: int, depth: int, rows: int, batches: int = 1):
        if min(value_bits, lanes, depth, rows, batches) < 1:
            raise ValueError("value_bits, lanes, depth, rows and batches must be positive")
        self._row_bits, self._batch_bits, self._lane_bits = (exact_log2(n) for n in (rows, batches, lanes))
        self._value_bits, self._lanes, self._depth, self._rows, self._batches = value_bits, lanes, depth, rows, batches
        self._word = data.ArrayLayout(data.ArrayLayout(signed(value_bits), lanes), rows)
        super().__init__({
            "i": In(stream.Signature(activation_layout(value_bits))),
            "address": In(range(depth)),
            "batch": In(range(batches)),
            "words": Out(self._word),
        })

    def elaborate(self, platform):
        m = Module()
        address_bits = (self._depth - 1).bit_length()
        depth = self._batches << address_bits
        attributes = {"ram_style": "ultra"} if depth >= _ULTRA_DEPTH else {}
        m.submodules.memory = memory = Memory(shape=self._word.size, depth=depth, init=[], attrs=attributes)
        write, read = memory.write_port(granularity=self._value_bits), memory.read_port()

        element = self.i.payload
        row, index = element.row, element.index
        m.d.comb += self.i.ready.eq(1)
        batch = row[self._row_bits:self._row_bits + self._batch_bits]
        lane = Cat(index[:self._lane_bits], row[:self._row_bits])
        enable = Signal(len(write.en))
        value = Signal(self._value_bits, reset_less=True)
        m.d.sync += [
            enable.eq(Cat(self.i.valid & (lane == n) for n in range(len(enable)))),
            write.addr.eq(Cat(index[self._lane_bits:self._lane_bits + address_bits], batch)),
            value.eq(element.value),
        ]
        m.d.comb += [
            write.en.eq(enable),
            write.data.eq(Value.cast(value).replicate(len(enable))),
            read.addr.eq(Cat(self.address, self.batch) if self._batches > 1 else self.address),
            Value.cast(self.words).eq(read.data),
        ]
        return m
