"""Deep queue: a buffer in block RAM or UltraRAM, read through an output register."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.stream.read_registers import read_registers
from hw.stream.shallow_memory import shallow_attributes

__all__ = ["DeepQueue"]


class DeepQueue(wiring.Component):
    """First in, first out, transfers of `shape`.

    `depth` (a power of two, at least 16) words in memory and two more in the registers behind it. The
    memory is read ahead into its output register and from there into one more, as UltraRAM needs at
    full clock. Latency 3 cycles, throughput 1 word a cycle. `i.ready` and `o.valid` come from registers
    alone. `taken` pulses when a word leaves the memory: space for one more word.
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        if depth < 16 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two from 16, got {depth}")
        self._depth = depth
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "taken": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.storage = storage = Memory(shape=self.i.payload.shape(), depth=self._depth, init=[],
                                                attrs=shallow_attributes(platform))
        write, read = storage.write_port(), storage.read_port()

        address_bits = exact_log2(self._depth)
        level = Signal(range(self._depth + 1))
        head, tail = Signal(address_bits), Signal(address_bits)
        put = Signal()
        more, less = Signal.like(level), Signal.like(level)  # before it is known which: `taken` comes late in a cycle
        m.d.comb += [
            more.eq(level + 1), less.eq(level - 1),
            self.i.ready.eq(~level[address_bits]),  # level != depth
            put.eq(self.i.valid & self.i.ready),
            write.en.eq(put),
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            self.taken.eq(read_registers(m, read, head, level != 0, self.o)),
        ]
        m.d.sync += [
            level.eq(Mux(put == self.taken, level, Mux(put, more, less))),
            tail.eq(tail + put),
        ]
        with m.If(self.taken):
            m.d.sync += head.eq(head + 1)
        return m
