"""From integer sums to logits: one rescaling by the product of two scales."""

from __future__ import annotations

from amaranth.hdl import Module, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arith.scalar import SCALAR
from hw.arith.scalar_product import SCALAR_PRODUCT_STEPS, scalar_product_steps
from hw.arith.scale_round import ScaleRound
from hw.stream.pipeline import Pipeline

__all__ = ["LOGIT_BITS", "LogitScale"]

LOGIT_BITS = 32
_LOGIT_FRACTION = 16


class LogitScale(wiring.Component):
    """logit = scale_round(x, unit * scale, fraction=16): 32 bits, 16 of them fraction; one a cycle.

    Contract: golden `head.logits` bit for bit from its integer sums on (docs/numerics.md §10).
    `user` travels along. Latency LATENCY cycles; backpressure stops the pipeline.
    i: {x: signed(x_width), unit: SCALAR, scale: SCALAR, user}; o: {y: signed(32), user}.
    """

    LATENCY = 1 + SCALAR_PRODUCT_STEPS + ScaleRound.LATENCY

    def __init__(self, x_width: int, user_layout) -> None:
        self._round = ScaleRound(x_width, LOGIT_BITS, user_layout)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({
                "x": signed(x_width), "unit": SCALAR, "scale": SCALAR, "user": user_layout}))),
            "o": Out(self._round.o.signature),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.round = rounding = self._round
        p = Pipeline(m, self.i, rounding.i, platform)
        unit, scale, *carried = p.step(self.i.p.unit, self.i.p.scale, self.i.p.x, self.i.p.user)
        product, x, user = scalar_product_steps(p, data.View(SCALAR, unit), data.View(SCALAR, scale), *carried)
        p.finish(a=product, x=x, user=user)
        m.d.comb += rounding.i.p.fraction.eq(_LOGIT_FRACTION)
        connect(m, rounding.o, flipped(self.o))
        return m
