"""Pearson's correlation of values that come in groups, with bootstrap intervals over the groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Interval", "correlated", "correlation_gap"]

_DRAWS = 2000


class Interval(NamedTuple):
    """A value and the central 95 % of what it is when groups are drawn anew, with replacement."""

    value: float
    low: float
    high: float


def correlated(x: Sequence[np.ndarray], y: Sequence[np.ndarray], seed: int = 0) -> Interval:
    """The correlation of x and y over all groups together, each float [values]; 0 where one of them never changes."""
    return _interval(_all(x, y, seed))


def correlation_gap(first: Sequence[np.ndarray], second: Sequence[np.ndarray], y: Sequence[np.ndarray], seed: int = 0
                    ) -> Interval:
    """How much better `first` is correlated with y than `second`, the same groups drawn for both."""
    return _interval(_all(first, y, seed) - _all(second, y, seed))


def _all(x: Sequence[np.ndarray], y: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """The correlation over all groups, then one a draw."""
    sums = np.array([[len(a), a.sum(), b.sum(), a @ a, b @ b, a @ b] for a, b in zip(x, y, strict=True)])
    drawn = np.random.default_rng(seed).integers(len(sums), size=(_DRAWS, len(sums)))
    n, a, b, aa, bb, ab = np.concatenate([sums.sum(axis=0)[None], sums[drawn].sum(axis=1)]).T
    spread = np.sqrt(np.maximum(n * aa - a * a, 0) * np.maximum(n * bb - b * b, 0))
    return np.divide(n * ab - a * b, spread, out=np.zeros_like(spread), where=spread > 0)


def _interval(found: np.ndarray) -> Interval:
    return Interval(float(found[0]), *(float(end) for end in np.percentile(found[1:], (2.5, 97.5))))
