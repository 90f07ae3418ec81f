"""Wide products in slices that fit DSP blocks, with registers where the blocks have theirs."""

from __future__ import annotations

from amaranth.hdl import Value

from hw.stream.pipeline import Pipeline

__all__ = ["PRODUCT_STEPS", "product_steps"]

_SLICE_BITS = 17  # unsigned digits of the 18-bit signed port

PRODUCT_STEPS = 2


def product_steps(p: Pipeline, a: Value, b: Value, *carried) -> tuple[Value, ...]:
    """The exact product of unsigned `a` (up to 24 bits) and unsigned `b`, in PRODUCT_STEPS steps.

    `b` is cut into 17-bit digits: first step the partial products, second their sum, of
    len(a) + len(b) bits. Returns (product, *carried) of the last step. Register the operands before.
    """
    width = len(a) + len(b)
    digits = [b[low:low + _SLICE_BITS] for low in range(0, len(b), _SLICE_BITS)]
    stepped = p.step(*(a * digit for digit in digits), *carried)
    parts, carried = stepped[:len(digits)], stepped[len(digits):]
    total = sum((part << (_SLICE_BITS * n) for n, part in enumerate(parts[1:], 1)), parts[0])
    return p.step(total[:width], *carried)
