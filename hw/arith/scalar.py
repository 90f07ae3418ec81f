"""The shape of a scalar float inside the fabric, and what needs no cycle: constants, comparison, words.

Formats and rules: docs/numerics.md §2. Multi-cycle operations: `hw.arith.scalar_unit`.
"""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Cat, Mux, Value, signed, unsigned
from amaranth.lib import data

from models.machine.scalar_format import MANTISSA_BITS, nearest

__all__ = ["SCALAR", "from_word", "less", "scalar_const", "to_word"]

SCALAR = data.StructLayout({"m": unsigned(MANTISSA_BITS), "e": signed(10)})


def scalar_const(value: float | Fraction) -> data.Const:
    """The scalar nearest to a non-negative constant."""
    m, e = nearest(value)
    return SCALAR.const({"m": m, "e": e})


def from_word(word: Value) -> tuple[Value, Value]:
    """Mantissa and exponent of a 32-bit memory word."""
    return word[:MANTISSA_BITS], word[MANTISSA_BITS:32].as_signed()


def to_word(a: data.View) -> Value:
    """32-bit memory word: exponents below -128 give zero, above 127 the largest word."""
    under = (a.m == 0) | (a.e < -128)
    over = a.e > 127
    normal = Cat(a.m, a.e[:8])
    return Mux(under, 0, Mux(over, 0x7FFFFFFF, normal))[:32]


def less(a: data.View, b: data.View) -> Value:
    """a < b, combinational."""
    below = (a.e < b.e) | ((a.e == b.e) & (a.m < b.m))
    return (b.m != 0) & ((a.m == 0) | below)
