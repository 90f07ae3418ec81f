"""The ternary matrix product: exact sums of int8 activations, signed by trits.

docs/numerics.md §3; the fabric computes it by table look-up (TeLLMe v2, table-lookup matmul).
"""

from __future__ import annotations

import numpy as np

__all__ = ["ACCUMULATOR_BITS", "ternary_matmul"]

ACCUMULATOR_BITS = 24


def ternary_matmul(q: np.ndarray, trits: np.ndarray) -> np.ndarray:
    """q: integers [rows, inputs] within ±127; trits: int8 [outputs, inputs] in -1..1.

    Returns int64 [rows, outputs]. With inputs <= 66,051 a sum fits ACCUMULATOR_BITS signed bits.
    """
    return np.asarray(q, np.int64) @ trits.astype(np.int64).T
