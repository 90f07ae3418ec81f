"""Products that are added up in a cascade or over time, in DSP blocks alone."""

from __future__ import annotations

from amaranth.hdl import Module, Value

from hw.arith.dsp48 import Sum, dsp48

__all__ = ["MULTIPLY_ADD_LATENCY", "accumulate", "multiply_add"]

MULTIPLY_ADD_LATENCY = 3  # operands, product, sum


def multiply_add(m: Module, a: Value, b: Value, before: Sum | None) -> Sum:
    """The sum `before` (None: 0) and a * b, MULTIPLY_ADD_LATENCY cycles after a and b, one cycle after `before`.

    a: at most 27 bits signed, b: at most 18. In a chain, the operands of each step come a cycle after those of the one
    before.
    """
    return dsp48(m, a, b, None if before is None else before.cascade)


def accumulate(m: Module, operands: list[tuple[Value, Value]], *, first: Value, enable: Value) -> Value:
    """The running sum of products, signed: of one pair of operands a step, or of several that a cascade adds up.

    Each pair's operands come a cycle after those of the one before it. `first` belongs to the cycle after the last
    operands, `enable` to the next, that of their product: `enable` takes it into the sum, `first` begins a new one.
    """
    *early, last = operands
    before = None
    for a, b in early:
        before = multiply_add(m, a, b, before)
    return dsp48(m, *last, None if before is None else before.cascade, enable=enable, restart=first).value
