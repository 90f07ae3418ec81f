"""Random scalars for the tests of hardware arithmetic."""

from __future__ import annotations

import numpy as np

from models.golden.scalar import Scalar
from models.machine.scalar_format import EXPONENT_MAX, EXPONENT_MIN

__all__ = ["as_fields", "random_scalars"]


def random_scalars(rng: np.random.Generator, count: int, low: int = EXPONENT_MIN,
                   high: int = EXPONENT_MAX) -> Scalar:
    """`count` scalars with exponents in low .. high: one in ten zero, some with the extreme mantissas."""
    m = rng.choice([1 << 23, (1 << 24) - 1, 0], count)
    m = np.where((rng.random(count) < 0.7), rng.integers(1 << 23, 1 << 24, count), m)
    e = np.where(rng.random(count) < 0.1, rng.choice([low, high], count), rng.integers(low, high + 1, count))
    return Scalar(m, np.where(m == 0, 0, e))


def as_fields(scalar: Scalar) -> dict[str, int]:
    """One scalar as the fields of the hardware's layout."""
    return {"m": int(scalar.m), "e": int(scalar.e)}
