"""From dot products to scores in log2 units."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.scalar import SCALAR, from_word
from hw.arith.scalar_product import SCALAR_PRODUCT_STEPS, scalar_product_steps
from hw.arith.scale_round import ScaleRound
from hw.stream.pipeline import Pipeline
from models.machine.tables import EXP2_FRACTION

__all__ = ["SCORE_BITS", "ScoreScale"]

SCORE_BITS = 32


class ScoreScale(wiring.Component):
    """score[pair] = scale_round(dot[pair], unit[pair] * key_scale, fraction 12), 32 bits, saturated.

    The dot products of one token with all pairs, with the key's scale as its memory word and each pair's
    unit = q_scale * score_constant; a token a cycle, `LATENCY` cycles later on `o`, which is always taken. `user`
    travels along. Golden: `unit` and `score` of `attention`; the products truncate (docs/numerics.md §2, §7).
    """

    LATENCY = 1 + SCALAR_PRODUCT_STEPS + ScaleRound.LATENCY

    def __init__(self, *, pairs: int, dot_bits: int, user_layout) -> None:
        self._pairs, self._dot_bits, self._user_layout = pairs, dot_bits, user_layout
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({
                "dots": data.ArrayLayout(signed(dot_bits), pairs), "units": data.ArrayLayout(SCALAR, pairs),
                "key_scale": 32, "user": user_layout}))),
            "o": Out(stream.Signature(data.StructLayout({
                "scores": data.ArrayLayout(signed(SCORE_BITS), pairs), "user": user_layout}))),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.d.comb += [self.i.ready.eq(1)]
        key_scale = Signal(SCALAR)
        mantissa, exponent = from_word(self.i.p.key_scale)
        m.d.comb += [key_scale.m.eq(mantissa), key_scale.e.eq(exponent)]
        for pair in range(self._pairs):
            # all lanes move in step: the first one's valid and user stand for all
            user_layout = self._user_layout if pair == 0 else 0
            rounding = ScaleRound(self._dot_bits, SCORE_BITS, user_layout)
            m.submodules[f"rounding_{pair}"] = rounding
            given = stream.Signature(0).create(path=(f"given_{pair}",))
            m.d.comb += given.valid.eq(self.i.valid)
            p = Pipeline(m, given, rounding.i, platform)
            carried = [self.i.p.user] if pair == 0 else []
            dot, key, unit, *carried = p.step(self.i.p.dots[pair], key_scale, self.i.p.units[pair], *carried)
            product, dot, *carried = scalar_product_steps(
                p, data.View(SCALAR, unit), data.View(SCALAR, key), dot, *carried)
            user = Signal(rounding.i.p.user.shape(), name=f"user_{pair}")
            if pair == 0:
                m.d.comb += user.eq(carried[0])
            p.finish(x=dot, a=product, fraction=EXP2_FRACTION, user=user)
            m.d.comb += [rounding.o.ready.eq(1), self.o.p.scores[pair].eq(rounding.o.p.y)]
            if pair == 0:
                m.d.comb += [self.o.valid.eq(rounding.o.valid), self.o.p.user.eq(rounding.o.p.user)]
        return m
