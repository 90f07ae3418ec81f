"""Thresholds of single channels, in the units of a row, where a tap's 16 bits under one exponent would not do."""

from __future__ import annotations

import numpy as np

from models.golden.scalar import Scalar, constant, div, scale_round

__all__ = ["BOUND_BITS", "bounds"]

BOUND_BITS = 40
_MANTISSA_BITS = 24


def bounds(thresholds: np.ndarray, unit: Scalar) -> np.ndarray:
    """Thresholds float64 [channels], at least 0, as int64 [rows, channels] in units of `unit` ([rows]).

    Each has 24 bits and an exponent of its own; rounded half to even, saturated to 40 bits.
    """
    fraction, exponent = np.frexp(thresholds)
    mantissas = np.rint(np.ldexp(fraction, _MANTISSA_BITS)).astype(np.int64)
    return scale_round(mantissas, div(constant(1), unit)[:, None], fraction=exponent.astype(np.int64) - _MANTISSA_BITS,
                       bits=BOUND_BITS)
