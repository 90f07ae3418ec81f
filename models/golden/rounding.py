"""Integer rounding and saturation, the only two places where the machine loses bits.

Every function works on int64 arrays (or scalars) of any shape. docs/numerics.md §1.
"""

from __future__ import annotations

import numpy as np

__all__ = ["bit_length", "round_shift", "saturate"]


def round_shift(x: np.ndarray, shift: np.ndarray | int) -> np.ndarray:
    """`x / 2**shift`, rounded half to even. `shift` >= 0; from 63 on the result is 0.

    No rounding constant is added, so the whole int64 range is allowed.
    """
    x = np.asarray(x, dtype=np.int64)
    s = np.minimum(np.asarray(shift, dtype=np.int64), 62)
    quotient = x >> s
    remainder = x - (quotient << s)
    half = (np.int64(1) << s) >> 1
    up = (remainder > half) | ((remainder == half) & (half > 0) & ((quotient & 1) == 1))
    return np.where(np.asarray(shift) >= 63, 0, quotient + up)


def saturate(x: np.ndarray, bits: int) -> np.ndarray:
    """Clip to the symmetric range of a signed `bits`-bit integer, ±(2**(bits-1) - 1)."""
    limit = (1 << (bits - 1)) - 1
    return np.clip(np.asarray(x, dtype=np.int64), -limit, limit)


def bit_length(x: np.ndarray) -> np.ndarray:
    """Number of bits of `x` >= 0 (0 for 0), as `int.bit_length`."""
    x = np.array(x, dtype=np.int64)
    length = np.zeros(x.shape, dtype=np.int64)
    for step in (32, 16, 8, 4, 2, 1):
        more = x >= (np.int64(1) << step)
        length += np.where(more, step, 0)
        x = np.where(more, x >> step, x)
    return length + (x > 0)
