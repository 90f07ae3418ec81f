"""The ternary matrix product: exact sums of int8 activations, signed by trits.

docs/numerics.md §3, with scales by group §15; the fabric computes it by table look-up (TeLLMe v2, table-lookup
matmul).
"""

from __future__ import annotations

import numpy as np

from models.golden.rounding import round_shift, saturate
from models.ternary_groups import GROUP

__all__ = ["ACCUMULATOR_BITS", "grouped_matmul", "grouped_sums", "ternary_matmul"]

ACCUMULATOR_BITS = 24


def ternary_matmul(q: np.ndarray, trits: np.ndarray) -> np.ndarray:
    """q: integers [rows, inputs] within ±127; trits: int8 [outputs, inputs] in -1..1.

    Returns int64 [rows, outputs]. With inputs <= 66,051 a sum fits ACCUMULATOR_BITS signed bits.
    """
    return np.asarray(q, np.int64) @ trits.astype(np.int64).T


def grouped_sums(q: np.ndarray, trits: np.ndarray, mantissas: np.ndarray) -> np.ndarray:
    """Sums over groups, each times its mantissa: exact, int64 [rows, outputs].

    q: integers [rows, inputs] within ±32767; trits: int8 [outputs, inputs]; mantissas: int16 [outputs, groups].
    """
    q, k = np.asarray(q, np.int64), mantissas.astype(np.int64)
    total = np.zeros((len(q), len(trits)), np.int64)
    for start in range(0, q.shape[1], GROUP):
        total += q[:, start:start + GROUP] @ trits[:, start:start + GROUP].astype(np.int64).T * k[:, start // GROUP]
    return total


def grouped_matmul(q: np.ndarray, trits: np.ndarray, mantissas: np.ndarray, shift: int) -> np.ndarray:
    """As `ternary_matmul`, with a mantissa for each group: one rounding of the exact sum, in ACCUMULATOR_BITS bits.

    q: within ±127; mantissas: 0 to 32767; shift: `models.ternary_groups.group_shift`.
    """
    return saturate(round_shift(grouped_sums(q, trits, mantissas), shift), ACCUMULATOR_BITS)
