"""The shape of a scalar float inside the fabric, and what needs no cycle: constants, comparison, words.

Formats and rules: docs/numerics.md §2. Multi-cycle operations: `hw.arith.scalar_unit`.
"""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Cat, Const, Mux, Value, signed, unsigned
from amaranth.lib import data

from models.machine.scalar_format import EXPONENT_MAX, EXPONENT_MIN, MANTISSA_BITS, nearest

__all__ = ["SCALAR", "from_word", "in_range", "less", "power_of_two", "scalar_const", "shift", "to_word"]

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


def in_range(mantissa: Value, exponent: Value) -> Value:
    """SCALAR bits of a mantissa with a wider exponent: below the range zero, above it the largest scalar."""
    none = (mantissa == 0) | (exponent < EXPONENT_MIN)
    over = exponent > EXPONENT_MAX
    top = SCALAR.const({"m": (1 << MANTISSA_BITS) - 1, "e": EXPONENT_MAX})
    return Mux(none, 0, Mux(over, Value.cast(top), Cat(mantissa[:MANTISSA_BITS], exponent[:10])))


def shift(a: data.View, by: Value | int) -> Value:
    """SCALAR bits of a * 2**by, combinational."""
    return in_range(a.m, a.e + by)


def power_of_two(exponent: Value) -> Value:
    """SCALAR bits of 2**exponent, for exponents within the range of a scalar."""
    return Cat(Const(1 << (MANTISSA_BITS - 1), MANTISSA_BITS), (exponent + Const(0, signed(10)))[:10])
