"""How far a feature tells two manners apart."""

from __future__ import annotations

import numpy as np

__all__ = ["separations"]


def separations(toward: np.ndarray, away: np.ndarray) -> np.ndarray:
    """The difference of each feature's means over their deviation, from amounts [rows, features] of two manners:
    [features], above 0 where the first has more; 0 for a feature that never changes."""
    spread = np.sqrt((toward.var(axis=0) + away.var(axis=0)) / 2)
    difference = toward.mean(axis=0) - away.mean(axis=0)
    return np.divide(difference, spread, out=np.zeros_like(spread), where=spread > 0)
