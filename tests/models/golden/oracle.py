"""Exact rational arithmetic to hold the golden units against, written without their helpers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from models.golden.scalar import Scalar


def value(a: Scalar) -> Fraction:
    """The exact value of one scalar."""
    return Fraction(int(a.m)) * Fraction(2) ** (int(a.e) - 23)


def round_half_even(x: Fraction) -> int:
    """Python's own rounding of a fraction is half to even."""
    return round(x)


def clip(x: int, bits: int) -> int:
    """Symmetric saturation."""
    limit = (1 << (bits - 1)) - 1
    return max(-limit, min(limit, x))


def scale(x: int, factor: Fraction, bits: int = 32) -> int:
    """Rounded and saturated product."""
    return clip(round_half_even(Fraction(int(x)) * factor), bits)


def truncate(x: Fraction) -> Fraction:
    """The largest scalar at most x > 0: 24 significant bits."""
    e = 0
    while x >= Fraction(2) ** (e + 1):
        e += 1
    while x < Fraction(2) ** e:
        e -= 1
    unit = Fraction(2) ** (e - 23)
    return (x // unit) * unit


def random_scalar(rng: np.random.Generator, low: int = -40, high: int = 40) -> Scalar:
    """A normalised scalar with an exponent in [low, high]."""
    return Scalar(np.int64(rng.integers(1 << 23, 1 << 24)), np.int64(rng.integers(low, high + 1)))
