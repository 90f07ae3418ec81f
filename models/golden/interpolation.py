"""Functions from tables, by linear interpolation in integers. docs/numerics.md §12."""

from __future__ import annotations

import numpy as np

__all__ = ["interpolate"]


def interpolate(table: np.ndarray, z: np.ndarray, rest_bits: int) -> np.ndarray:
    """The value at z / 2**rest_bits between the table's entries, rounded to the nearest integer, halves upwards.

    table: int64 [segments + 1]; z: int64, 0 <= z < segments * 2**rest_bits. Returns int64 of z's shape.
    """
    segment, rest = z >> rest_bits, z & ((1 << rest_bits) - 1)
    low = table[segment]
    return low + (((table[segment + 1] - low) * rest + (1 << (rest_bits - 1))) >> rest_bits)
