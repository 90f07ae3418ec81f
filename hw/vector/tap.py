"""The per-channel tap: gain, add, clip and threshold, for sparsity and steering."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.product import PRODUCT_STEPS, product_steps
from hw.arith.rounding import round_shift
from hw.arith.scalar import SCALAR
from hw.arith.scale_round import ScaleRound
from hw.stream.pipeline import Pipeline

__all__ = ["NO_CLIP", "TAP", "TAP_EXPONENTS", "TAP_PRODUCT", "TAP_SETTINGS", "Tap", "command_exponents"]

_PRODUCT_BITS = 46
"""Of the products that are shown, those of narrow channels: 31 bits by 16."""

_GAIN_FRACTION = 13  # Q2.13
NO_CLIP = 0xFFFF

TAP = data.StructLayout({"gain": signed(16), "add": signed(16), "clip": unsigned(16), "threshold": unsigned(16)})
"""One channel's parameters, in the order of the memory words, first field lowest."""

TAP_EXPONENTS = data.StructLayout({"add": signed(7), "clip": signed(7), "threshold": signed(7)})

TAP_SETTINGS = data.StructLayout({"rho": SCALAR, "exponents": TAP_EXPONENTS, "narrow": 1, "ungained": 1,
                                  "mirrored": 1})
"""What all channels share: units of x per unit of the parameters; `narrow` saturates to 32 instead of 40 bits.
`ungained`: gains are 1; `mirrored`: what is added is subtracted instead."""

TAP_PRODUCT = data.StructLayout({"size": unsigned(_PRODUCT_BITS), "negative": 1})
"""x * gain."""


def command_exponents(exponents: data.View, fields: data.View) -> list:
    """Assign the tap's exponents of a NORM or a RESIDUAL."""
    return [exponents[name].eq(fields[f"tap_{name}_exponent"]) for name in TAP_EXPONENTS.members]


class Tap(wiring.Component):
    """y = gain * x + add, clipped to ±clip, zero where |y| <= threshold; one channel a cycle.

    Contract: golden `tap(x, parameters, rho, bits=32 if narrow else 40)` (docs/numerics.md §5), |x| < 2**39, with gains
    of 1 where `ungained`; `mirrored`, minus that of -x. `settings` holds still while elements are inside. `user`
    travels along. Backpressure stops all stages. `product`: x * gain of the narrow element that is `PRODUCT_LATENCY`
    behind its entry, undefined in between.

    Widths: x * gain below 2**54, rounded below 2**41 + 1; with an offset below 2**39 the sum is signed(43).
    Offset, limit and threshold are rescaled by three `ScaleRound` in step.

    i: {x: signed(40), parameters: TAP, user}; o: {y: signed(40), user}. Latency `LATENCY`.
    """

    LATENCY = ScaleRound.LATENCY + PRODUCT_STEPS + 7
    PRODUCT_LATENCY = ScaleRound.LATENCY + PRODUCT_STEPS + 1

    def __init__(self, user_layout=0) -> None:
        self._user_layout = user_layout
        super().__init__({
            "settings": In(TAP_SETTINGS),
            "i": In(stream.Signature(data.StructLayout({"x": signed(40), "parameters": TAP, "user": user_layout}))),
            "o": Out(stream.Signature(data.StructLayout({"y": signed(40), "user": user_layout}))),
            "product": Out(TAP_PRODUCT),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        carried = data.StructLayout({"x": signed(40), "gain": signed(16), "no_clip": 1, "user": self._user_layout})
        m.submodules.offset = offset = ScaleRound(17, 40, carried)
        m.submodules.limit = limit = ScaleRound(17, 40)
        m.submodules.threshold = threshold = ScaleRound(17, 40)
        parameters, exponents = self.i.p.parameters, self.settings.exponents
        for unit, mantissa, exponent in ((offset, parameters.add, exponents.add),
                                         (limit, parameters.clip, exponents.clip),
                                         (threshold, parameters.threshold, exponents.threshold)):
            m.d.comb += [unit.i.valid.eq(self.i.valid), unit.i.p.x.eq(mantissa), unit.i.p.fraction.eq(exponent),
                         unit.i.p.a.eq(self.settings.rho)]
        m.d.comb += [
            self.i.ready.eq(offset.i.ready),
            offset.i.p.user.x.eq(self.i.p.x),
            offset.i.p.user.gain.eq(Mux(self.settings.ungained, 1 << _GAIN_FRACTION, parameters.gain)),
            offset.i.p.user.no_clip.eq(parameters.clip == NO_CLIP),
            offset.i.p.user.user.eq(self.i.p.user),
        ]

        # The three advance together, so one of them stands for all.
        p = Pipeline(m, offset.o, self.o, platform)
        m.d.comb += [limit.o.ready.eq(p.advance), threshold.o.ready.eq(p.advance)]
        c = offset.o.p.user
        widest = Mux(self.settings.narrow, Const((1 << 31) - 1, 39), Const((1 << 39) - 1, 39))
        x, gain, negative, add, cap, floor, user = p.step(
            abs(c.x)[:40], abs(c.gain)[:16], (c.x < 0) ^ (c.gain < 0) ^ self.settings.mirrored, offset.o.p.y,
            Mux(c.no_clip | (limit.o.p.y[:39] > widest), widest, limit.o.p.y[:39]), threshold.o.p.y[:39], c.user)
        product, negative, add, cap, floor, user = product_steps(p, gain, x, negative, add, cap, floor, user)
        m.d.comb += [self.product.size.eq(product), self.product.negative.eq(negative)]
        scaled, negative, add, cap, floor, user = p.step(
            round_shift(product, _GAIN_FRACTION), negative, add, cap, floor, user)
        scaled, add, cap, floor, user = p.step(
            Mux(negative, -scaled, scaled)[:43].as_signed(), add, cap, floor, user)
        total, cap, floor, user = p.step((scaled + add)[:43].as_signed(), cap, floor, user)
        size, negative, cap, floor, user = p.step(abs(total)[:43], total < 0, cap, floor, user)
        size, negative, floor, user = p.step(Mux(size > cap, cap, size)[:39], negative, floor, user)
        size, negative, user = p.step(Mux(size <= floor, 0, size), negative, user)
        p.finish(y=Mux(negative ^ self.settings.mirrored, -size, size), user=user)
        return m
