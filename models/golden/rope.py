"""Rotary position embedding of integer heads, in transformers' half-split order.

Pairs are channels (i, i + dim/2). Cosines and sines are int16 Q1.14, from
`models.machine.tables.rope_table`. docs/numerics.md §6.
"""

from __future__ import annotations

import numpy as np

from models.golden.rounding import round_shift
from models.machine.tables import ANGLE_FRACTION

__all__ = ["ROPE_FRACTION", "rope"]

ROPE_FRACTION = 4  # fraction bits the rotation adds, so that its rounding stays far below a key's int8 step


def rope(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Rotate heads.

    x: int64 [rows, heads, dim], |x| < 2**23; table: int16 [rows, dim], the rows' positions.
    Returns int64 [rows, heads, dim] with ROPE_FRACTION fraction bits added.
    """
    half = x.shape[-1] // 2
    cos, sin = (part[:, None, :].astype(np.int64) for part in (table[:, :half], table[:, half:]))
    a, b = x[..., :half], x[..., half:]
    rotated = np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
    return round_shift(rotated, ANGLE_FRACTION - ROPE_FRACTION)
