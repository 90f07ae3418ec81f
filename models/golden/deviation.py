"""Mean and deviation of a row from two exact sums, without a division: what ASH and Spark's mask compare gates with."""

from __future__ import annotations

import numpy as np

__all__ = ["CHANNELS_MAX", "sums_and_variances"]

CHANNELS_MAX = 1 << 14


def sums_and_variances(gates: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Of rows int64 [rows, n] of 21 bits, n at most 2**14: S = sum of g, int64 [rows], and n * sum of g**2 - S**2.

    The second is n**2 times the variance (over n), exact, of up to 68 bits. `ValueError` for more channels.
    """
    n = gates.shape[-1]
    if n > CHANNELS_MAX:
        raise ValueError(f"{n} channels, at most {CHANNELS_MAX} have exact sums")
    sums, squares = gates.sum(axis=-1), np.square(gates).sum(axis=-1)
    return sums, [n * square - one * one for one, square in zip(sums.tolist(), squares.tolist(), strict=True)]
