"""Units whose batched form is faster than the golden function, with the same bits.

Exactness: products of int8 activations and trits, and of int16 ones in a group, stay below 2**24, which float32 matrix
products hold;
scores and weighted values stay below 2**53, which float64 ones hold.
"""

from __future__ import annotations

import numpy as np

from models.golden.attention import exp2_negative
from models.golden.rounding import round_shift
from models.golden.scalar import Scalar, constant, div, from_int, mul, scale_round
from models.machine.kv_format import KVFormat
from models.machine.tables import EXP2_FRACTION, P_FRACTION
from models.ternary_groups import GROUP, GROUP_BYTES, unpack_groups

__all__ = ["attention_rows", "grouped_sums", "matmul"]


def matmul(q: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """q: integers [rows, inputs] within ±127; weights: float32 [inputs, outputs] of -1, 0, 1. Returns int64."""
    return np.rint(q.astype(np.float32) @ weights).astype(np.int64)


def grouped_sums(q: np.ndarray, packed: np.ndarray, mantissas: np.ndarray) -> np.ndarray:
    """`models.golden.ternary_matmul.grouped_sums` of packed rows (`models.ternary_groups`), a group at a time.

    q: integers [rows, inputs], within ±32767; packed: uint8 [outputs, inputs / 4]. Returns int64 [rows, outputs].
    """
    total = np.zeros((len(q), len(packed)), np.int64)
    for group, k in enumerate(mantissas.T.astype(np.int64)):
        trits = unpack_groups(packed[:, group * GROUP_BYTES:(group + 1) * GROUP_BYTES]).astype(np.float32)
        total += np.rint(q[:, group * GROUP:(group + 1) * GROUP].astype(np.float32) @ trits.T).astype(np.int64) * k
    return total


def attention_rows(q: np.ndarray, q_scale: Scalar, keys: np.ndarray, key_scales: Scalar, values: np.ndarray,
                   value_scales: Scalar, score_constant: Scalar, position: int, *,
                   kv: KVFormat) -> tuple[np.ndarray, np.ndarray]:
    """`models.golden.attention` for rows at positions `position`, `position` + 1, ... over one cache.

    q: [rows, heads, dim], q_scale [rows, heads]; keys, values: [kv_heads, n, dim], scales [kv_heads, n], with
    n = position + rows. Returns o [rows, heads, dim] and exponents [rows, kv_heads].
    """
    rows, heads, dim = q.shape
    kv_heads, n = keys.shape[:2]
    group, fraction, drop = heads // kv_heads, kv.output_fraction, kv.dropped_bits
    hidden = np.arange(n)[None, :] > (position + np.arange(rows))[:, None]  # [rows, n]: not yet written
    out, exponents = np.zeros(q.shape, np.int64), np.zeros((rows, kv_heads), np.int64)
    for g in range(kv_heads):
        m, e = value_scales[g]
        running = np.maximum.accumulate(np.where(m > 0, e, -128))
        top = running[position:position + rows]
        exponents[:, g] = top - 23 + P_FRACTION - fraction
        value_shift = P_FRACTION + np.clip(top[:, None] - e[None, :], 0, 40)
        values_f = values[g].astype(np.float64)
        keys_f = keys[g].astype(np.float64).T
        for h in range(g * group, (g + 1) * group):
            sums = (q[:, h].astype(np.float64) @ keys_f).astype(np.int64)
            unit = mul(mul(q_scale[:, h], score_constant)[:, None], key_scales[g][None, :])
            score = np.where(hidden, np.iinfo(np.int64).min // 4, scale_round(sums, unit, fraction=EXP2_FRACTION))
            p = exp2_negative(score.max(axis=1, keepdims=True) - score)
            w = round_shift(p * m[None, :], value_shift)
            total = round_shift((w.astype(np.float64) @ values_f).astype(np.int64), drop)
            reciprocal = div(constant(1), from_int(p.sum(axis=1)))
            out[:, h] = scale_round(total, reciprocal[:, None], fraction=fraction + drop)
    return out, exponents
