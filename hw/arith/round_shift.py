"""The variable right shift with rounding, for wide integers."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.rounding import shift_sticky
from hw.stream.pipeline import Pipeline

__all__ = ["RoundShift"]


class RoundShift(wiring.Component):
    """y = round(x / 2**shift), half to even, one a cycle, `LATENCY` cycles later.

    Contract: golden `round_shift` (docs/numerics.md §1): a shift of 63 gives 0. The caller bounds
    the result: the low y_width bits are kept, in two's complement.
    `user` travels along unchanged. Backpressure stops the whole pipeline (`Pipeline`).

    i: {x: signed(x_width), shift: unsigned(6), user}; o: {y: signed(y_width), user}.
    """

    LATENCY = 3

    def __init__(self, x_width: int, y_width: int, user_layout=0) -> None:
        if not 1 < y_width <= x_width <= 64:
            raise ValueError(f"need 1 < y_width <= x_width <= 64, got {y_width} and {x_width}")
        self._y_width = y_width
        operand = {"x": signed(x_width), "shift": unsigned(6), "user": user_layout}
        result = {"y": signed(y_width), "user": user_layout}
        super().__init__({
            "i": In(stream.Signature(data.StructLayout(operand))),
            "o": Out(stream.Signature(data.StructLayout(result))),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        p = Pipeline(m, self.i, self.o)
        shift = self.i.p.shift
        window = self.i.p.x << 1  # a guard bit below the unit
        shifted, sticky = shift_sticky(window, Const(0, 1), shift[4:], unit=16)
        shifted, sticky, shift, user = p.step(shifted, sticky, shift, self.i.p.user)
        moved, lost = shift_sticky(shifted, sticky, shift[:4])
        shifted, sticky, vanishes, user = p.step(moved, lost, shift == 63, user)
        up = shifted[0] & (sticky | shifted[1])
        rounded, user = p.step(Mux(vanishes, 0, shifted[1:] + up)[: self._y_width].as_signed(), user)
        p.finish(y=rounded, user=user)
        return m
