"""Attention of one query token over the cached keys and values, with an exact maximum.

Scores stay on chip, so the softmax never rescales: its result does not depend on the order or on
the pieces in which keys arrive, and prefill equals decode bit for bit. docs/numerics.md §7.
"""

from __future__ import annotations

import numpy as np

from models.golden.rounding import round_shift
from models.golden.scalar import Scalar, constant, div, from_int, mul, scale_round
from models.machine.kv_format import kv_format
from models.machine.tables import EXP2_COARSE, EXP2_FINE, EXP2_FRACTION, P_FRACTION

__all__ = ["attention", "exp2_negative", "softmax_numerators"]


def exp2_negative(delta: np.ndarray) -> np.ndarray:
    """2**(-delta / 2**12) with P_FRACTION fraction bits, for int64 delta >= 0: 0 .. 2**20."""
    whole, fraction = delta >> EXP2_FRACTION, delta & ((1 << EXP2_FRACTION) - 1)
    product = EXP2_COARSE[fraction >> 6] * EXP2_FINE[fraction & 63]
    return round_shift(product, P_FRACTION + np.minimum(whole, 42))


def softmax_numerators(q: np.ndarray, q_scale: Scalar, keys: np.ndarray, key_scales: Scalar,
                       score_constant: Scalar) -> np.ndarray:
    """What one head's query gives its keys, before the division by their sum: int64 [n] with P_FRACTION fraction bits.

    q: int [dim], q_scale: a scalar; keys: int [n, dim], key_scales [n]; score_constant: log2(e) / sqrt(dim).
    """
    unit = mul(mul(q_scale, score_constant), key_scales)
    score = scale_round(keys.astype(np.int64) @ q.astype(np.int64), unit, fraction=EXP2_FRACTION)
    return exp2_negative(score.max() - score)


def attention(q: np.ndarray, q_scale: Scalar, keys: np.ndarray, key_scales: Scalar, values: np.ndarray,
              value_scales: Scalar, score_constant: Scalar, *, kv_bits: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """One query token, all heads, over the tokens 0 .. n-1 of the cache (its own is the last).

    q: int [heads, dim] of 16 bits, q_scale [heads]; keys, values: int [kv_heads, n, dim] of kv_bits,
    with scales [kv_heads, n]; score_constant: log2(e) / sqrt(dim).
    Returns o: int64 [heads, dim], |o| <= 2**24, and exponents int64 [kv_heads]: the value of o's unit
    in the heads of group g is 2**(exponents[g]).
    """
    heads, kv_heads = q.shape[0], keys.shape[0]
    group = heads // kv_heads
    out = np.zeros(q.shape, np.int64)
    exponents = np.zeros(kv_heads, np.int64)
    fraction, drop = kv_format(kv_bits).output_fraction, kv_format(kv_bits).dropped_bits
    for g in range(kv_heads):
        v = values[g].astype(np.int64)
        m, e = np.asarray(value_scales.m)[g], np.asarray(value_scales.e)[g]
        top = np.where(m > 0, e, -128).max()
        exponents[g] = top - 23 + P_FRACTION - fraction
        for h in range(g * group, (g + 1) * group):
            p = softmax_numerators(q[h], q_scale[h], keys[g], key_scales[g], score_constant)
            w = round_shift(p * m, P_FRACTION + np.clip(top - e, 0, 40))
            reciprocal = div(constant(1), from_int(p.sum()))
            total = round_shift(w @ v, drop)  # |w @ v| < 2**(36 + kv_bits) for 4096 tokens
            out[h] = scale_round(total, reciprocal, fraction=fraction + drop)
    return out, exponents
