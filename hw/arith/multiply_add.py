"""A product added to a cascade or accumulated: what one DSP block does between its own registers."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed

__all__ = ["MULTIPLY_ADD_LATENCY", "accumulate", "multiply_add"]

MULTIPLY_ADD_LATENCY = 3  # operands, product, sum


def _product(m: Module, a: Value, b: Value) -> Signal:
    """Operands and product, each registered."""
    operands = [Signal(value.shape(), name=name, reset_less=True) for name, value in (("a", a), ("b", b))]
    product = Signal(signed(len(a) + len(b)), name="product", reset_less=True)
    m.d.sync += [operands[0].eq(a), operands[1].eq(b), product.eq(operands[0] * operands[1])]
    return product


def multiply_add(m: Module, a: Value, b: Value, cascade: Value | None, width: int) -> Signal:
    """cascade + a * b, MULTIPLY_ADD_LATENCY cycles after a and b, one cycle after `cascade` (None: 0).

    a: at most 27 bits signed, b: at most 18. In a chain, the operands of each step come a cycle after those of the one
    before.
    """
    total = Signal(signed(width), name="total", reset_less=True)
    m.d.sync += total.eq(_product(m, a, b) + (Const(0) if cascade is None else cascade))
    return total


def accumulate(m: Module, operands: list[tuple[Value, Value]], *, first: Value, enable: Value, width: int) -> Signal:
    """The running sum of products: of one pair of operands a step, or of two that a cascade adds up.

    The last pair's operands come a cycle after those of the one before it. `enable` and `first` belong to the cycle two
    after the last operands, that of their product: `enable` takes it into the sum, `first` begins a new one with it.
    """
    *before, (a, b) = operands
    cascade = None
    for early in before:
        cascade = multiply_add(m, *early, cascade, width)
    total = Signal(signed(width), name="total", reset_less=True)
    added = _product(m, a, b) + (Const(0) if cascade is None else cascade)
    with m.If(enable):
        m.d.sync += total.eq(Mux(first, 0, total) + added)
    return total
