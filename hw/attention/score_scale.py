"""From dot products to scores in log2 units."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.pipeline import Pipeline
from hw.arith.scalar import SCALAR, from_word
from hw.arith.scalar_product import SCALAR_PRODUCT_STEPS, scalar_product_steps
from hw.arith.scale_round import ScaleRound
from models.machine.tables import EXP2_FRACTION

__all__ = ["SCORE_BITS", "ScoreScale"]

SCORE_BITS = 32


class ScoreScale(wiring.Component):
    """score = scale_round(dot, q_scale * score_constant * key_scale, fraction 12), 32 bits, saturated.

    Takes dot products in order of token and head, one a cycle, and gives scores in the same order
    `LATENCY` cycles later; the output is always taken. `start` sets the token back to 0.

    `head` (the dot product's, given at once) addresses the query scale, answered one cycle later;
    `token` addresses the key scale's memory word, answered two cycles later. Golden: `unit` and
    `score` of `attention`; both products truncate (docs/numerics.md §2, §7).
    """

    LATENCY = 2 + 2 * SCALAR_PRODUCT_STEPS + ScaleRound.LATENCY

    def __init__(self, *, dot_bits: int, group_max: int, context_max: int):
        self._dot_bits = dot_bits
        head = range(group_max)
        self._user = data.StructLayout({"head": head, "last": 1})
        super().__init__({
            "start": In(1),
            "group_last": In(head),
            "score_constant": In(32),
            "i": In(stream.Signature(data.StructLayout({"dot": signed(dot_bits), "head": head, "last": 1}))),
            "head": Out(head),
            "query_scale": In(SCALAR),
            "token": Out(range(context_max)),
            "key_scale": In(32),
            "o": Out(stream.Signature(data.StructLayout({
                "score": signed(SCORE_BITS), "head": head, "last": 1}))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.rounding = rounding = ScaleRound(self._dot_bits, SCORE_BITS, self._user)
        m.d.comb += self.head.eq(self.i.p.head)
        with m.If(self.start):
            m.d.sync += self.token.eq(0)
        with m.Elif(self.i.valid & (self.i.p.head == self.group_last)):
            m.d.sync += self.token.eq(self.token + 1)

        constant, key_scale = Signal(SCALAR), Signal(SCALAR)
        for scalar, word in ((constant, self.score_constant), (key_scale, self.key_scale)):
            mantissa, exponent = from_word(word)
            m.d.comb += [scalar.m.eq(mantissa), scalar.e.eq(exponent)]

        p = Pipeline(m, self.i, rounding.i)
        dot, head, last = p.step(self.i.p.dot, self.i.p.head, self.i.p.last)
        query_scale, dot, head, last = p.step(self.query_scale, dot, head, last)
        unit, key, dot, head, last = scalar_product_steps(
            p, data.View(SCALAR, query_scale), constant, key_scale, dot, head, last)
        unit, dot, head, last = scalar_product_steps(p, unit, data.View(SCALAR, key), dot, head, last)
        user = Signal(self._user)
        m.d.comb += [user.head.eq(head), user.last.eq(last)]
        p.finish(x=dot, a=unit, fraction=EXP2_FRACTION, user=user)

        m.d.comb += [
            rounding.o.ready.eq(1),
            self.o.valid.eq(rounding.o.valid),
            self.o.p.score.eq(rounding.o.p.y),
            self.o.p.head.eq(rounding.o.p.user.head),
            self.o.p.last.eq(rounding.o.p.user.last),
        ]
        return m
