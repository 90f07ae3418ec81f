"""Weighted sums of one chunk of the values for all pairs, while the chunk's tokens stream by."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arith.multiply_add import accumulate
from hw.attention.softmax import WEIGHT_BITS
from hw.attention.weight_memory import WeightMemory
from hw.stream.kept import KEPT
from models.machine.kv_format import kv_format

__all__ = ["WeightedSum"]

_LANES_ENDED = 16  # whose sums one register moves
_MUX = 8  # inputs of each of the two levels that choose them


class WeightedSum(wiring.Component):
    """sums[pair][channel] = sum over a pass' tokens of weight[token][pair] * value[token][channel], exact.

    `valid` with `values` (a chunk of consecutive tokens each), `first` and `last`: a beat a cycle, no backpressure.
    `weights` are those of the beat READ_LATENCY cycles before (`WeightMemory`). Each channel and pair has one
    accumulator, a DSP block, and a second multiplies the beat's second token. After the last beat the sums move to
    registers, and `done` pulses; they stay until the next pass' last beat has gone the same way, `LATENCY` cycles or
    more. READ_LATENCY cycles after `pair` and `step`, `sums` are those of channels sum_lanes * step on. Golden: `w @ v`
    of `attention`.

    Widths: weights unsigned(24), sums signed(24 + kv_bits + log2 context_max), which hold any tokens.
    """

    LATENCY = WeightMemory.READ_LATENCY + 5
    READ_LATENCY = 3
    sum_lanes = 2  # that leave a cycle

    def __init__(self, *, pairs: int, kv_bits: int, chunk_bits: int, parts: int, context_max: int) -> None:
        kv_format(kv_bits)
        self.pairs, self.kv_bits, self.parts = pairs, kv_bits, parts
        self.lanes = chunk_bits // kv_bits
        self.steps = self.lanes // self.sum_lanes
        self.sum_bits = WEIGHT_BITS + kv_bits + ceil_log2(context_max)
        super().__init__({
            "valid": In(1),
            "first": In(1),
            "last": In(1),
            "values": In(data.ArrayLayout(chunk_bits, parts)),
            "weights": In(data.ArrayLayout(data.ArrayLayout(WEIGHT_BITS, pairs), parts)),
            "done": Out(1),
            "pair": In(range(pairs)),
            "step": In(range(self.steps)),
            "sums": Out(data.ArrayLayout(signed(self.sum_bits), self.sum_lanes)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        # values wait for their weights, the second token's a cycle longer
        operands = []
        for part in range(self.parts):
            values = self.values[part]
            weights = [self.weights[part][pair] for pair in range(self.pairs)]
            for _ in range(WeightMemory.READ_LATENCY + part):
                before, values = values, Signal(len(values), name=f"values_{part}", reset_less=True)
                m.d.sync += values.eq(before)
            if part:
                before, weights = weights, [Signal(WEIGHT_BITS, name=f"weight_{pair}", reset_less=True)
                                            for pair in range(self.pairs)]
                m.d.sync += [late.eq(weight) for late, weight in zip(weights, before, strict=True)]
            operands.append((values, weights))

        flags = data.StructLayout({"valid": 1, "first": 1, "last": 1})
        stage = Signal(flags)
        m.d.comb += [stage.valid.eq(self.valid), stage.first.eq(self.first), stage.last.eq(self.last)]
        for n in range(WeightMemory.READ_LATENCY + self.parts - 1 + 2):
            early, stage = stage, Signal(flags, name=f"flags_{n}")
            m.d.sync += stage.eq(early)
        # a copy for some lanes of a pair: a pass' end enables all the registers that its sums go to
        finished = [[Signal(name=f"finished_{pair}_{lane}", reset_less=True, attrs=KEPT)
                     for lane in range(0, self.lanes, _LANES_ENDED)] for pair in range(self.pairs)]
        ended = Signal()
        m.d.sync += [*(copy.eq(stage.valid & stage.last) for copies in finished for copy in copies),
                     ended.eq(stage.valid & stage.last), self.done.eq(ended)]

        held = []  # [pair][channel]
        for pair in range(self.pairs):
            for lane in range(self.lanes):
                products = [(weights[pair], values[lane * self.kv_bits:(lane + 1) * self.kv_bits].as_signed())
                            for values, weights in operands]
                total = accumulate(m, platform, products, first=early.first, enable=stage.valid)
                kept = Signal(signed(self.sum_bits), name=f"kept_{pair}_{lane}", reset_less=True)
                with m.If(finished[pair][lane // _LANES_ENDED]):
                    m.d.sync += kept.eq(total)
                held.append(kept)
        self._choose(m, held)
        return m

    def _choose(self, m: Module, held: list[Signal]) -> None:
        """The sums of a pair's step, by two levels of multiplexers with a register behind each, and a copy of the
        index a lane before them."""
        given = Signal(len(self.step) + len(self.pair))
        m.d.comb += given.eq(self.pair * self.steps + self.step)
        low_bits = ceil_log2(_MUX)
        for lane in range(self.sum_lanes):
            index = Signal(len(given), name=f"index_{lane}", reset_less=True, attrs=KEPT)
            high = Signal(len(index) - low_bits, name=f"high_{lane}", reset_less=True)
            m.d.sync += [index.eq(given), high.eq(index[low_bits:])]
            inputs = held[lane::self.sum_lanes]
            groups = []
            for start in range(0, len(inputs), _MUX):
                group = Signal(signed(self.sum_bits), name=f"group_{lane}", reset_less=True)
                m.d.sync += group.eq(Array(inputs[start:start + _MUX])[index[:low_bits]])
                groups.append(group)
            m.d.sync += self.sums[lane].eq(Array(groups)[high])
