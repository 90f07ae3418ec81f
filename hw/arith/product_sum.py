"""What all siblings of the multiply-add share: the sum they give, its latency, and which operands they take."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Value

__all__ = ["MULTIPLY_ADD_LATENCY", "Sum", "check_operands"]

MULTIPLY_ADD_LATENCY = 3  # operands, product, sum


class Sum(NamedTuple):
    """A block's sum: `value` for the fabric, signed, `cascade` for the next block and nothing else."""

    value: Value
    cascade: Value


def check_operands(a: Value, b: Value, a_bits: int, b_bits: int) -> None:
    """`ValueError` where signed ports of so many bits cannot take a and b."""
    for name, value, bits in (("a", a, a_bits), ("b", b, b_bits)):
        if len(value) + (not value.shape().signed) > bits:
            raise ValueError(f"operand {name} has {bits} bits, not {value.shape()!r}")
