"""A memory of two ports, one of which also writes: UltraRAM where a technology has it."""

from __future__ import annotations

import re
from pathlib import Path

from amaranth.hdl import ClockSignal, Instance, Module, ShapeLike, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.memory.ram_style import in_ultra_ram

__all__ = ["DualPortMemory", "ultra_ram_models"]

_NAME = "tritloom_ultra_ram"


def ultra_ram_models(verilog: str) -> str:
    """Verilog of the memory, if a text uses it: for synthesis as for simulators."""
    if not re.search(rf"^ *{_NAME} ", verilog, re.MULTILINE):
        return ""
    return Path(__file__).with_suffix(".v").read_text(encoding="utf-8")


class DualPortMemory(wiring.Component):
    """`depth` words of `shape`: port A writes `a_data` at `a_address` where `a_write`, else it reads; port B reads.

    LATENCY cycles from an address to `a_word` or `b_word`: memory and output register. A word that is written while
    the other port reads it is read as before or after: nobody may ask. `a_word` of a write's cycle means nothing.

    For UltraRAM the two ports are written in Verilog as tools know them, in one block each (`ultra_ram.v`). From a
    write port and two read ports whose enables exclude each other elsewhere, a tool may make two memories.
    """

    LATENCY = 2

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self._depth = depth
        super().__init__({
            "a_write": In(1),
            "a_address": In(range(depth)),
            "a_data": In(shape),
            "a_word": Out(shape),
            "b_address": In(range(depth)),
            "b_word": Out(shape),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        data, words = Value.cast(self.a_data), [Value.cast(self.a_word), Value.cast(self.b_word)]
        if in_ultra_ram(self._depth, platform):
            m.submodules.ultra = Instance(
                _NAME, p_WIDTH=len(data), p_DEPTH=self._depth, p_ADDRESS_BITS=ceil_log2(self._depth),
                i_clk=ClockSignal(), i_a_write=self.a_write, i_a_address=self.a_address, i_a_data=data,
                o_a_word=words[0], i_b_address=self.b_address, o_b_word=words[1])
            return m
        m.submodules.memory = memory = Memory(shape=len(data), depth=self._depth, init=[])
        write, ports = memory.write_port(), [memory.read_port() for _ in words]
        m.d.comb += [
            write.en.eq(self.a_write), write.addr.eq(self.a_address), write.data.eq(data),
            ports[0].en.eq(~self.a_write), ports[0].addr.eq(self.a_address), ports[1].addr.eq(self.b_address),
        ]
        for port, word in zip(ports, words, strict=True):
            register = Signal(len(word), reset_less=True)
            m.d.sync += register.eq(port.data)
            m.d.comb += word.eq(register)
        return m
