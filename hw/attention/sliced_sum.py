"""Weighted sums of a chunk of the values that comes slice by slice, its sums in small memories."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from hw.arith.multiply_add import MULTIPLY_ADD_LATENCY, multiply_add
from hw.attention.softmax import WEIGHT_BITS
from hw.attention.weight_memory import WeightMemory
from hw.attention.weighted_sum import WeightedSum
from models.machine.kv_format import kv_format

__all__ = ["SlicedSum"]


class SlicedSum(wiring.Component):
    """sums[pair][channel] as `WeightedSum` has them, of tokens whose values come in `slices` of `lanes` channels.

    `valid` with `values`, slice number `slice` of a token, tokens and slices in order; `first` with all slices of a
    pass' first token, `last` with its very last one. `weights` are those of the token READ_LATENCY cycles before
    (`WeightMemory`). The sums lie in two banks of small memories, one a pass: `done` pulses when a pass' are complete,
    and they stay until the next pass' last slice has gone the same way, `LATENCY` cycles or more. READ_LATENCY cycles
    after `pair` and `step`, `sums` is that of channel `step`. Golden: `w @ v` of `attention`. Widths: as there.
    """

    LATENCY = WeightMemory.READ_LATENCY + MULTIPLY_ADD_LATENCY + 1
    READ_LATENCY = WeightedSum.READ_LATENCY
    sum_lanes = 1

    def __init__(self, *, pairs: int, kv_bits: int, lanes: int, slices: int, context_max: int) -> None:
        kv_format(kv_bits)
        self.pairs, self.kv_bits, self._lanes, self._slices = pairs, kv_bits, lanes, slices
        self.lanes = self.steps = lanes * slices  # of a chunk
        self.sum_bits = WEIGHT_BITS + kv_bits + ceil_log2(context_max)
        super().__init__({
            "valid": In(1),
            "slice": In(range(slices)),
            "first": In(1),
            "last": In(1),
            "values": In(data.ArrayLayout(lanes * kv_bits, 1)),
            "weights": In(data.ArrayLayout(data.ArrayLayout(WEIGHT_BITS, pairs), 1)),
            "done": Out(1),
            "pair": In(range(pairs)),
            "step": In(range(self.steps)),
            "sums": Out(data.ArrayLayout(signed(self.sum_bits), 1)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        values = self.values[0]
        for _ in range(WeightMemory.READ_LATENCY):
            before, values = values, Signal(len(values), name="values", reset_less=True)
            m.d.sync += values.eq(before)
        flags = data.StructLayout({"valid": 1, "first": 1, "last": 1, "slice": self.slice.shape()})
        stage = Signal(flags)
        m.d.comb += [stage.valid.eq(self.valid), stage.first.eq(self.first), stage.last.eq(self.last),
                     stage.slice.eq(self.slice)]
        for n in range(WeightMemory.READ_LATENCY + MULTIPLY_ADD_LATENCY):
            early, stage = stage, Signal(flags, name=f"flags_{n}")
            m.d.sync += stage.eq(early)
        bank = Signal()
        ended = stage.valid & stage.last
        m.d.sync += [self.done.eq(ended), bank.eq(bank ^ ended)]

        pair, step = Signal.like(self.pair, reset_less=True), Signal.like(self.step, reset_less=True)
        m.d.sync += [pair.eq(self.pair), step.eq(self.step)]
        lane_bits = exact_log2(self._lanes)
        word_shape = data.ArrayLayout(signed(self.sum_bits), self._lanes)
        words = []
        for number in range(self.pairs):
            m.submodules[f"sums_{number}"] = memory = Memory(
                shape=word_shape, depth=2 * self._slices, init=[], attrs={"ram_style": "distributed"})
            write, own, read = memory.write_port(), memory.read_port(domain="comb"), memory.read_port(domain="comb")
            m.d.comb += [own.addr.eq(Cat(stage.slice, bank)), write.addr.eq(own.addr), write.en.eq(stage.valid),
                         read.addr.eq(Cat(step[lane_bits:], ~bank))]
            words.append(read.data)
            for lane in range(self._lanes):
                value = values[lane * self.kv_bits:(lane + 1) * self.kv_bits].as_signed()
                product = multiply_add(m, platform, self.weights[0][number], value, None).value
                m.d.comb += write.data[lane].eq(Mux(stage.first, 0, own.data[lane]) + product)
        self._choose(m, words, pair, step[:lane_bits])
        return m

    def _choose(self, m: Module, words: list, pair: Signal, lane) -> None:
        """The sum of a pair's lane, a register before it and one behind it."""
        chosen = Signal(words[0].shape(), reset_less=True)
        of_lane = Signal(len(lane), reset_less=True)
        m.d.sync += of_lane.eq(lane)
        for number, word in enumerate(words):
            with m.If(pair == number):
                m.d.sync += chosen.eq(word)
        m.d.sync += self.sums[0].eq(chosen[of_lane])
