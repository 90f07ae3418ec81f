"""Tables that the machine reads: exp2, sigmoid, rotary angles. Computed once in float64, pinned by hash.

docs/numerics.md §6 to §8.
"""

from __future__ import annotations

import numpy as np

__all__ = ["ANGLE_FRACTION", "EXP2_COARSE", "EXP2_FINE", "EXP2_FRACTION", "P_FRACTION", "SIGMOID_FRACTION",
           "SIGMOID_TABLE", "rope_table"]

EXP2_FRACTION = 12  # fraction bits of a score in log2 units
P_FRACTION = 20  # fraction bits of a softmax numerator
EXP2_COARSE = np.rint(2.0 ** (P_FRACTION - np.arange(64) / 64)).astype(np.int64)
EXP2_FINE = np.rint(2.0 ** (P_FRACTION - np.arange(64) / 4096)).astype(np.int64)

SIGMOID_FRACTION = 16
SIGMOID_TABLE = np.rint((1 << SIGMOID_FRACTION) / (1 + np.exp(-np.arange(-512, 513) / 32.0))).astype(np.int64)

ANGLE_FRACTION = 14


def rope_table(theta: float, dim: int, positions: int) -> np.ndarray:
    """int16 [positions, dim]: dim/2 cosines, then dim/2 sines, of position * theta**(-2i/dim), Q1.14."""
    frequencies = np.float64(theta) ** (-np.arange(0, dim, 2, dtype=np.float64) / dim)
    angles = np.arange(positions, dtype=np.float64)[:, None] * frequencies
    table = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    return np.rint(table * (1 << ANGLE_FRACTION)).astype(np.int16)
