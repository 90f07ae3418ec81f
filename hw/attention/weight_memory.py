"""The softmax weights of all tokens, kept on chip from pass to pass over the values."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.attention.softmax import WEIGHT_BITS, softmax_lanes, softmax_weights

__all__ = ["WeightMemory"]


class WeightMemory(wiring.Component):
    """Two banks of weights: one is filled, two pairs of a token at a time, while the other is read.

    `i` is always ready. `weights[part][pair]` are those of token parts * beat + part, READ_LATENCY cycles after
    `bank` and `beat`.
    """

    READ_LATENCY = 2

    def __init__(self, *, pairs: int, context_max: int, parts: int) -> None:
        self._steps, self._parts, self._beats = pairs // softmax_lanes(pairs), parts, context_max // parts
        super().__init__({
            "i": In(stream.Signature(softmax_weights(pairs, context_max))),
            "bank": In(1),
            "beat": In(range(self._beats)),
            "weights": Out(data.ArrayLayout(data.ArrayLayout(WEIGHT_BITS, pairs), parts)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        steps, part_bits, beat_bits = self._steps, ceil_log2(self._parts), ceil_log2(self._beats)
        fields = data.ArrayLayout(self.i.p.weights.shape(), self._parts * steps)
        m.submodules.memory = memory = Memory(shape=fields, depth=2 << beat_bits, init=[],
                                            attrs={"ram_style": "block"})
        write, read = memory.write_port(granularity=1), memory.read_port()
        m.d.comb += [
            self.i.ready.eq(1),
            write.addr.eq(Cat(self.i.p.token[part_bits:part_bits + beat_bits], self.i.p.bank)),
            write.en.eq(self.i.valid << Cat(self.i.p.step[:ceil_log2(steps)], self.i.p.token[:part_bits])),
            *(write.data[field].eq(self.i.p.weights) for field in range(fields.length)),
            read.addr.eq(Cat(self.beat[:beat_bits], self.bank)),
        ]
        m.d.sync += self.weights.eq(read.data)
        return m
