"""The product of two scalar floats as steps of a pipeline."""

from __future__ import annotations

from amaranth.hdl import Mux, Value
from amaranth.lib import data

from hw.arith.product import PRODUCT_STEPS, product_steps
from hw.arith.scalar import SCALAR, in_range
from hw.stream.pipeline import Pipeline
from models.machine.scalar_format import MANTISSA_BITS

__all__ = ["SCALAR_PRODUCT_STEPS", "scalar_product_steps"]

SCALAR_PRODUCT_STEPS = PRODUCT_STEPS + 2


def scalar_product_steps(p: Pipeline, a: data.View, b: data.View, *carried) -> tuple[data.View | Value, ...]:
    """a * b in SCALAR_PRODUCT_STEPS steps, equal to golden `mul`: truncated, docs/numerics.md §2.

    Returns (product, *carried) of the last step. Register the operands before.
    """
    product, exponent, *carried = product_steps(p, a.m, b.m, a.e + b.e, *carried)
    carry = product[-1]
    low = MANTISSA_BITS - 1
    mantissa, exponent, *carried = p.step(
        Mux(carry, product[low + 1:], product[low:-1]), exponent + carry, *carried)
    result, *carried = p.step(in_range(mantissa, exponent), *carried)
    return data.View(SCALAR, result), *carried
