"""RMSNorm over each head of queries or keys, before RoPE.

docs/numerics.md §15; transformers `Qwen3Attention` (`q_norm`, `k_norm`).
"""

from __future__ import annotations

import numpy as np

from models.golden.norm_quant import INPUT_BITS, NormConstants, normalise
from models.golden.rounding import bit_length, round_shift
from models.golden.scalar import Scalar, shift

__all__ = ["head_norm"]


def head_norm(x: np.ndarray, unit: Scalar, gains: np.ndarray, constants: NormConstants) -> tuple[np.ndarray, Scalar]:
    """x: int64 [rows, heads, dim], |x| < 2**23, in units of `unit` ([rows]); gains: int16 [dim], those of all heads.

    Returns int64 [rows, heads, dim], |x| <= 2**23, and the value of one unit of each head, Scalar [rows, heads].
    """
    rows, heads, dim = x.shape
    each = Scalar(np.repeat(unit.m, heads), np.repeat(unit.e, heads))
    v, each = normalise(x.reshape(-1, dim), each, gains, constants)
    down = np.maximum(bit_length(np.abs(v).max(axis=-1)) - (INPUT_BITS - 1), 0)
    each = shift(each, down)
    return (round_shift(v, down[:, None]).reshape(x.shape),
            Scalar(each.m.reshape(rows, heads), each.e.reshape(rows, heads)))
