"""Wide products in slices that fit multipliers, with registers where those have theirs."""

from __future__ import annotations

from amaranth.hdl import Value

from hw.arith import mult18
from hw.stream.pipeline import Pipeline

__all__ = ["PRODUCT_STEPS", "product_steps"]

_SLICE_BITS = 17  # unsigned digits of an 18-bit signed port, beside one that takes 24 bits whole
_IN_BLOCKS = {"MULT18X18D": mult18.registered_parts}

PRODUCT_STEPS = 2


def product_steps(p: Pipeline, a: Value, b: Value, *carried) -> tuple[Value, ...]:
    """The exact product of unsigned `a` (up to 24 bits) and unsigned `b`, in PRODUCT_STEPS steps.

    First step the products of digits, second their sum, of len(a) + len(b) bits. Returns (product, *carried) of the
    last step. Register the operands before. `b` is cut into 17-bit digits; where the pipeline's technology has blocks
    of 18 bits both ways, both are cut, and the first step's registers are the blocks'.
    """
    parts_of = _IN_BLOCKS.get(p.technology.dsp.primitive) if p.technology else None
    if parts_of:
        parts, carried = parts_of(p.module, a, b, p.advance), p.step(*carried)
    else:
        places = range(0, len(b), _SLICE_BITS)
        stepped = p.step(*(a * b[low:low + _SLICE_BITS] for low in places), *carried)
        parts, carried = list(zip(places, stepped, strict=False)), stepped[len(places):]
    total = sum((part << low for low, part in parts[1:]), parts[0][1])
    return p.step(total[:len(a) + len(b)], *carried)
