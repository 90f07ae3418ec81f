"""Scalar floats: the scales that belong to a token, a head or a matrix.

A `Scalar` is m * 2**(e - 23) with a 24-bit mantissa m in [2**23, 2**24), or m = 0 for zero. It is
unsigned. Every operation truncates; none depends on a floating-point unit. Exponents stay within
[-512, 511] in the machine: above, the result is the largest scalar, below, it is zero. In memory a
scalar is one 32-bit word, mantissa in bits 0..23, exponent as int8 in bits 24..31.
docs/numerics.md §2.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np

from models.golden.rounding import bit_length, round_shift, saturate
from models.machine.scalar_format import (
    EXPONENT_MAX,
    EXPONENT_MIN,
    MANTISSA_BITS,
    nearest,
    pack_words,
    unpack_words,
)

__all__ = ["ZERO", "Scalar", "add", "constant", "div", "from_int", "from_word", "less", "log2_e_over_root", "mul",
           "scale_round", "shift", "sqrt", "to_float", "to_word"]

_TOP = np.int64(1) << MANTISSA_BITS
_ONE = np.int64(1) << (MANTISSA_BITS - 1)


class Scalar(NamedTuple):
    """Mantissa and exponent, int64 arrays of one shape (or ints)."""

    m: np.ndarray
    e: np.ndarray

    def __getitem__(self, index) -> Scalar:  # type: ignore[override]
        """The scalars at `index` of both arrays (rows, heads), not a tuple's field."""
        return Scalar(np.asarray(self.m)[index], np.asarray(self.e)[index])


ZERO = Scalar(np.int64(0), np.int64(0))


def _finish(m: np.ndarray, e: np.ndarray) -> Scalar:
    m, e = np.asarray(m, np.int64), np.asarray(e, np.int64)
    some = (m != 0) & (e >= EXPONENT_MIN)
    over = e > EXPONENT_MAX
    return Scalar(some * np.where(over, _TOP - 1, m), some * np.minimum(e, EXPONENT_MAX))


def from_int(n: np.ndarray) -> Scalar:
    """The integer n >= 0, truncated to 24 bits."""
    n = np.asarray(n, dtype=np.int64)
    length = bit_length(n)
    down = np.maximum(length - MANTISSA_BITS, 0)
    up = np.maximum(MANTISSA_BITS - length, 0)
    return _finish((n >> down) << up, length - 1)


@cache
def constant(value: float | Fraction) -> Scalar:
    """The scalar nearest to a non-negative constant (ties to even)."""
    m, e = nearest(value)
    return Scalar(np.int64(m), np.int64(e))


def to_float(a: Scalar) -> np.ndarray:
    """float64 value, exact."""
    return np.ldexp(np.asarray(a.m, np.float64), np.asarray(a.e, np.int64) - 23)


def to_word(a: Scalar) -> np.ndarray:
    """The 32-bit memory word. Exponents below -128 become zero, above 127 the largest word."""
    return pack_words(a.m, a.e)


def from_word(word: np.ndarray) -> Scalar:
    """Inverse of `to_word`."""
    return Scalar(*unpack_words(word))


def mul(a: Scalar, b: Scalar) -> Scalar:
    """a * b, truncated."""
    product = np.asarray(a.m, np.int64) * b.m
    carry = (product >> 47) & 1
    return _finish(product >> (23 + carry), np.asarray(a.e, np.int64) + b.e + carry)


def shift(a: Scalar, by: np.ndarray | int) -> Scalar:
    """a * 2**by, exact unless it leaves the range."""
    return _finish(a.m, np.asarray(a.e, np.int64) + by)


def less(a: Scalar, b: Scalar) -> np.ndarray:
    """a < b."""
    a_none, b_none = np.asarray(a.m) == 0, np.asarray(b.m) == 0
    below = (np.asarray(a.e) < b.e) | ((np.asarray(a.e) == b.e) & (np.asarray(a.m) < b.m))
    return ~b_none & (a_none | below)


def add(a: Scalar, b: Scalar) -> Scalar:
    """a + b: the smaller is shifted right (bits dropped) to the larger's exponent."""
    swap = less(a, b)
    big_m, big_e = np.where(swap, b.m, a.m), np.where(swap, b.e, a.e)
    small_m, small_e = np.where(swap, a.m, b.m), np.where(swap, a.e, b.e)
    total = big_m + (small_m >> np.minimum(np.maximum(big_e - small_e, 0), 24))
    carry = total >> 24
    return _finish(total >> carry, big_e + carry)


def div(a: Scalar, b: Scalar) -> Scalar:
    """a / b, truncated; x / 0 is the largest scalar, 0 / b is zero."""
    b_m = np.asarray(b.m, np.int64)
    none = b_m == 0
    quotient = (np.asarray(a.m, np.int64) << 24) // np.where(none, _ONE, b_m)
    carry = quotient >> 24
    result = _finish(quotient >> carry, np.asarray(a.e, np.int64) - b.e - 1 + carry)
    return Scalar(np.where(none, _TOP - 1, result.m), np.where(none, EXPONENT_MAX, result.e))


def sqrt(a: Scalar) -> Scalar:
    """The root, truncated: isqrt(m * 2**23) for an even exponent, isqrt(m * 2**24) for an odd one."""
    odd = np.asarray(a.e, np.int64) & 1
    radicand = np.asarray(a.m, np.int64) << (23 + odd)
    # float64 is within one of the integer root of a 48-bit number; two exact corrections settle it
    root = np.floor(np.sqrt(radicand.astype(np.float64))).astype(np.int64)
    root = root - (root * root > radicand)
    root = root + ((root + 1) * (root + 1) <= radicand)
    return _finish(root, (np.asarray(a.e, np.int64) - odd) >> 1)


def scale_round(x: np.ndarray, a: Scalar, *, fraction: int | np.ndarray = 0, bits: int = 32) -> np.ndarray:
    """x * a * 2**fraction, rounded half to even, saturated to `bits` (at most 40) bits.

    |x| < 2**39, so that the product with the mantissa stays below 2**63.
    """
    product = np.asarray(x, np.int64) * a.m
    right = 23 - np.asarray(a.e, np.int64) - fraction
    left = np.clip(-right, 0, bits)
    limit = np.int64((1 << (bits - 1)) - 1)
    rounded = np.clip(round_shift(product, np.maximum(right, 0)), -limit, limit)
    fits = np.abs(rounded) <= (limit >> left)
    return saturate(np.where(fits, rounded << np.where(fits, left, 0), np.sign(rounded) * limit), bits)


def log2_e_over_root(dim: int) -> Scalar:
    """log2(e) / sqrt(dim): turns a dot product of queries and keys into a power of two's exponent."""
    return constant(math.log2(math.e) / math.sqrt(dim))
