"""Multiply-adds in no vendor's block: registers, a product and an adder, for whoever maps or simulates them."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed

from hw.arith.product_sum import Sum, check_operands
from hw.boards.technology import Dsp

__all__ = ["accumulate", "multiply_add", "registered_product"]


def multiply_add(m: Module, dsp: Dsp, a: Value, b: Value, before: Sum | None) -> Sum:
    """See `hw.arith.multiply_add`."""
    product, total = _product(m, dsp, a, b), Signal(signed(dsp.sum_bits), name="total", reset_less=True)
    m.d.sync += total.eq(product if before is None else product + before.cascade)
    return Sum(total, total)


def registered_product(m: Module, a: Value, b: Value, enable: Value | int) -> Value:
    """See `hw.arith.multiply_add`."""
    product = Signal((a * b).shape(), name="product", reset_less=True)
    with m.If(enable):
        m.d.sync += product.eq(a * b)
    return product


def accumulate(m: Module, dsp: Dsp, operands: list[tuple[Value, Value]], *, first: Value, enable: Value) -> Value:
    """See `hw.arith.multiply_add`."""
    *early, last = operands
    before = None
    for a, b in early:
        before = multiply_add(m, dsp, a, b, before)
    product, total = _product(m, dsp, *last), Signal(signed(dsp.sum_bits), name="total", reset_less=True)
    anew = Signal(name="anew", reset_less=True)
    m.d.sync += anew.eq(first)
    with m.If(enable):
        m.d.sync += total.eq(Mux(anew, 0, total) + product + (0 if before is None else before.cascade))
    return total


def _product(m: Module, dsp: Dsp, a: Value, b: Value) -> Value:
    """a * b, two cycles later."""
    check_operands(a, b, dsp.a_bits, dsp.b_bits)
    operands = [Signal(value.shape(), name=name, reset_less=True) for name, value in (("a", a), ("b", b))]
    product = Signal(signed(dsp.a_bits + dsp.b_bits), name="product", reset_less=True)
    m.d.sync += [operands[0].eq(a), operands[1].eq(b), product.eq(operands[0] * operands[1])]
    return product
