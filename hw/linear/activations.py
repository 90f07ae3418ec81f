"""Activation memory: filled in words of four elements of a row, read in words of many elements of all rows."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.machine.build import LANES

__all__ = ["ActivationMemory", "activation_layout"]


def activation_layout(value_bits: int) -> data.StructLayout:
    """LANES elements of a vector of activations, from element `index` on, a multiple of LANES."""
    return data.StructLayout({"row": 8, "index": 16, "values": data.ArrayLayout(signed(value_bits), LANES)})


class ActivationMemory(wiring.Component):
    """`rows` vectors of `depth` x `lanes` signed values; word a of a row holds elements a * lanes and on.

    `i`: LANES elements; always ready. Their index is 0, that of the transfer before, or LANES more:
    vector after vector, row by row or rows interleaved, so that no index is divided by `lanes`.
    They can be read two cycles after its transfer. Elements that were never written hold
    what an earlier vector left there.
    `address` -> `words` of all rows one cycle later.
    """

    def __init__(self, value_bits: int, lanes: int, depth: int, rows: int):
        if min(value_bits, lanes, depth, rows) < 1:
            raise ValueError("value_bits, lanes, depth and rows must be positive")
        if lanes % LANES:
            raise ValueError(f"lanes must be a multiple of {LANES}, got {lanes}")
        self._value_bits, self._lanes, self._depth, self._rows = value_bits, lanes, depth, rows
        self._word = data.ArrayLayout(signed(value_bits), lanes)
        super().__init__({
            "i": In(stream.Signature(activation_layout(value_bits))),
            "address": In(range(depth)),
            "words": Out(data.ArrayLayout(self._word, rows)),
        })

    def elaborate(self, platform):
        m = Module()
        element = self.i.payload
        index = Signal(16, reset_less=True)
        address = Signal(range(self._depth), reset_less=True)
        parts = self._lanes // LANES
        part = Signal(parts, reset_less=True)  # one-hot
        row = Signal(8, reset_less=True)
        values = Signal(element["values"].shape(), reset_less=True)
        write = Signal()

        m.d.comb += self.i.ready.eq(1)
        m.d.sync += write.eq(self.i.valid)
        with m.If(self.i.valid):
            m.d.sync += [row.eq(element.row), index.eq(element.index), values.eq(element["values"])]
            with m.If(element.index == 0):
                m.d.sync += [address.eq(0), part.eq(1)]
            with m.Elif(element.index != index):
                m.d.sync += [address.eq(address + part[-1]), part.eq(part.rotate_left(1))]

        for n in range(self._rows):
            m.submodules[f"row_{n}"] = memory = Memory(shape=self._word, depth=self._depth, init=[])
            write_port, read_port = memory.write_port(granularity=LANES), memory.read_port()
            m.d.comb += [
                write_port.addr.eq(address),
                write_port.data.as_value().eq(Value.cast(values).replicate(parts)),
                write_port.en.eq((write & (row == n)).replicate(parts) & part),
                read_port.addr.eq(self.address),
                self.words[n].eq(read_port.data),
            ]
        return m
