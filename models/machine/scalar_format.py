"""Scalar floats as the machine stores them, and the nearest one to a constant.

A scalar is m * 2**(e - 23): 24-bit mantissa m in [2**23, 2**24), or 0; unsigned. In memory it is one
32-bit word, mantissa in bits 0..23, exponent as int8 in bits 24..31. docs/numerics.md §2.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

__all__ = ["EXPONENT_MAX", "EXPONENT_MIN", "MANTISSA_BITS", "nearest", "pack_words", "unpack_words", "word"]

MANTISSA_BITS = 24
EXPONENT_MIN, EXPONENT_MAX = -512, 511  # inside the machine; a word holds -128 .. 127


def nearest(value: float | Fraction) -> tuple[int, int]:
    """Mantissa and exponent nearest to a non-negative constant, ties to even."""
    exact = Fraction(value)
    if exact < 0:
        raise ValueError(f"a scalar is not negative, got {value}")
    if exact == 0:
        return 0, 0
    e = exact.numerator.bit_length() - exact.denominator.bit_length()
    if exact < Fraction(2) ** e:
        e -= 1
    m = round(exact / Fraction(2) ** (e - 23))
    return (1 << 23, e + 1) if m == 1 << 24 else (m, e)


def pack_words(m: np.ndarray, e: np.ndarray) -> np.ndarray:
    """uint32 words. Exponents below -128 become zero, above 127 the largest word."""
    m, e = np.broadcast_arrays(np.asarray(m, np.int64), np.asarray(e, np.int64))
    none = (m == 0) | (e < -128)
    m = np.where(none, 0, np.where(e > 127, (1 << MANTISSA_BITS) - 1, m))
    e = np.where(none, 0, np.minimum(e, 127))
    return (m | ((e & 255) << MANTISSA_BITS)).astype(np.uint32)


def unpack_words(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mantissas and exponents, int64."""
    words = np.asarray(words, dtype=np.uint32).astype(np.int64)
    e = words >> MANTISSA_BITS
    return words & ((1 << MANTISSA_BITS) - 1), np.where(e >= 128, e - 256, e)


def word(value: float | Fraction) -> int:
    """The memory word nearest to a constant; `ValueError` where its exponent does not fit."""
    m, e = nearest(value)
    if not -128 <= e <= 127:
        raise ValueError(f"{float(value)!r} is out of range of a scalar word")
    return m | (e & 255) << MANTISSA_BITS
