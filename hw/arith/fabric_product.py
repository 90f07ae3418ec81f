"""Multiply-adds by a narrow operand in LUTs, for chips with LUTs to spare and few blocks."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed

from hw.arith.product_sum import Sum, check_operands
from hw.boards.technology import Dsp

__all__ = ["multiply_add"]


def multiply_add(m: Module, dsp: Dsp, a: Value, b: Value, before: Sum | None) -> Sum:
    """See `hw.arith.multiply_add`: two bits of b a row (Booth), each row one carry chain of a LUT a bit."""
    check_operands(a, b, dsp.a_bits, dsp.b_bits)
    operands = [Signal(signed(len(value) + (not value.shape().signed)), name=name, reset_less=True)
                for name, value in (("a", a), ("b", b))]
    product = Signal(signed(len(operands[0]) + len(operands[1])), name="product", reset_less=True)
    added = product if before is None else product + before.cascade
    total = Signal(signed(len(added)), name="total", reset_less=True)
    m.d.sync += [operands[0].eq(a), operands[1].eq(b), product.eq(_booth(*operands)), total.eq(added)]
    return Sum(total, total)


def _booth(a: Value, b: Value) -> Value:
    """a * b, signed: for each two bits of b, -2 to 2 times a is added above the bits that are settled."""
    settled, rest = [], None
    for low in range(0, len(b), 2):
        below, middle, high = b[low - 1] if low else 0, b[low], b[min(low + 1, len(b) - 1)]
        once, twice = middle ^ below, Mux(high, ~(middle | below), middle & below)
        row = Mux(once, a, Mux(twice, a << 1, 0))[:len(a) + 1] ^ high.replicate(len(a) + 1)
        # the bit below it, twice `high`, carries the 1 that completes a negative row
        sum_ = (Cat(high, 0 if rest is None else rest).as_signed() + Cat(high, row).as_signed())[1:len(a) + 3]
        settled.append(sum_[:2])
        rest = sum_[2:].as_signed()
    return Cat(*settled, rest).as_signed()
