"""An integer times a scalar float, rounded half to even and saturated: the machine's one rescaling."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.product import PRODUCT_STEPS, product_steps
from hw.arith.rounding import shift_over, shift_sticky
from hw.arith.scalar import SCALAR
from hw.stream.pipeline import Pipeline

__all__ = ["ScaleRound"]


class ScaleRound(wiring.Component):
    """y = saturate(round(x * a * 2**fraction), bits), one a cycle, `LATENCY` cycles later.

    Contract: golden `scale_round(x, a, fraction=fraction, bits=bits)` bit for bit (docs/numerics.md §2):
    half to even, symmetric saturation to ±(2**(bits-1) - 1), and 0 where the right shift
    23 - a.e - fraction reaches 63.

    Widths: x signed(x_width), |x| <= 2**(x_width-1), x_width <= 40; the product with the 24-bit mantissa
    has x_width + 24 <= 64 bits, unsigned beside its sign. Shift: e in [-512, 511] and fraction in
    [-128, 127] give 23 - e - fraction in [-615, 663], signed(11).
    `user` travels along unchanged. Backpressure stops the whole pipeline (`Pipeline`).

    i: {x, a: SCALAR, fraction: signed(8), user}; o: {y: signed(bits), user}.
    """

    LATENCY = 8 + PRODUCT_STEPS

    def __init__(self, x_width: int, bits: int, user_layout=0) -> None:
        if not 1 < x_width <= 40:
            raise ValueError(f"x_width must be 2 to 40, got {x_width}")
        if not 1 < bits <= 40:
            raise ValueError(f"bits must be 2 to 40, got {bits}")
        self._x_width, self._bits = x_width, bits
        operand = {"x": signed(x_width), "a": SCALAR, "fraction": signed(8), "user": user_layout}
        result = {"y": signed(bits), "user": user_layout}
        super().__init__({
            "i": In(stream.Signature(data.StructLayout(operand))),
            "o": Out(stream.Signature(data.StructLayout(result))),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        bits = self._bits
        p = Pipeline(m, self.i, self.o, platform)
        x, a = self.i.p.x, self.i.p.a

        negative, magnitude, mantissa, right, user = p.step(
            x < 0,
            abs(x)[: self._x_width],
            a.m,
            (Const(23) - a.e - self.i.p.fraction)[:11].as_signed(),
            self.i.p.user,
        )
        left = -right
        product, negative, vanishes, right, left, user = product_steps(
            p,
            mantissa,
            magnitude,
            negative,
            right >= 63,
            Mux(right > 0, right, 0)[:6],
            Mux(right >= 0, 0, Mux(left > bits, bits, left))[:6],
            user,
        )

        # one guard bit below the product; 63 and more is 0 whatever is left in the window
        shifted, sticky = shift_sticky((product << 1)[: len(product) + 1], Const(0, 1), right[4:], unit=16)
        shifted, sticky, negative, vanishes, right, left, user = p.step(
            shifted, sticky, negative, vanishes, right[:4], left, user
        )
        shifted, sticky = shift_sticky(shifted, sticky, right)
        shifted, sticky, negative, vanishes, left, user = p.step(
            shifted, sticky, negative, vanishes, left, user
        )

        quotient, guard = shifted[1:], shifted[0]
        rounded, over, negative, vanishes, left, user = p.step(
            quotient[: bits - 1] + (guard & (sticky | quotient[0])),
            quotient[bits - 1 :].any(),
            negative,
            vanishes,
            left,
            user,
        )
        value, over, negative, left, user = p.step(
            Mux(vanishes, 0, rounded[: bits - 1]),
            ~vanishes & (over | rounded[bits - 1]),
            negative,
            left,
            user,
        )

        for low, high, unit in ((4, 6, 16), (0, 4, 1)):
            value, over = shift_over(value, over, left[low:high], unit)
            value, over, negative, left, user = p.step(value, over, negative, left, user)
        limited = Mux(over, Const((1 << (bits - 1)) - 1, bits - 1), value)
        y, user = p.step(Mux(negative, -limited, limited)[:bits].as_signed(), user)
        p.finish(y=y, user=user)
        return m
