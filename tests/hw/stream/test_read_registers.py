# amaranth: UnusedElaboratable=no
"""From a memory to a stream: the words at the addresses given, in order, none lost while the stream stalls."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.stream.read_registers import read_registers
from tests.hw.stream_table import Case, check

WORDS = np.random.default_rng(1).integers(0, 1 << 20, 32).tolist()


class LookUp(wiring.Component):
    """The word at each address."""

    def __init__(self):
        super().__init__({"i": In(stream.Signature(5)), "o": Out(stream.Signature(20))})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=20, depth=32, init=WORDS)
        m.d.comb += self.i.ready.eq(read_registers(m, memory.read_port(), self.i.payload, self.i.valid, self.o))
        return m


def test_words_in_order():
    addresses = [*range(32), *np.random.default_rng(2).integers(0, 32, 150).tolist()]
    check(LookUp(), [Case("many", inputs={"i": addresses}, outputs={"o": [WORDS[at] for at in addresses]}),
                     Case("one", inputs={"i": [7]}, outputs={"o": [WORDS[7]]})], stalls=(0.0, 0.3, 0.7))
