"""Queries, keys and values: each head quantised by its own absolute maximum.

docs/numerics.md §6. Queries have 16 bits, keys and values 8 or 16 (a build parameter).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from models.golden.rounding import saturate
from models.golden.scalar import Scalar, constant, div, from_int, mul, scale_round

__all__ = ["QUERY_BITS", "head_quant"]

QUERY_BITS = 16


def head_quant(x: np.ndarray, scale: Scalar, bits: int) -> tuple[np.ndarray, Scalar]:
    """x: int64 [rows, heads, dim], |x| < 2**39, in units of `scale` ([rows], or [rows, heads]); bits 8 or 16.

    Returns q: int64, |q| <= 2**(bits-1) - 1, and the value of one unit of q, Scalar [rows, heads].
    A head of zeros gives zeros and a zero scale.
    """
    levels = (1 << (bits - 1)) - 1
    largest = from_int(np.abs(x).max(axis=-1))
    q = saturate(scale_round(x, div(constant(levels), largest)[..., None]), bits)
    unit = mul(scale, constant(Fraction(1, levels)))
    return q, mul(largest, unit if np.ndim(unit.m) == np.ndim(largest.m) else unit[..., None])
