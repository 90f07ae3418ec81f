"""A linear probe: which of two kinds of rows a row is of."""

from __future__ import annotations

import numpy as np

__all__ = ["Probe"]

_RIDGE = 0.1  # beside a channel's variance, which is 1 after standardising


class Probe:
    """Fisher's discriminant with shrinkage: ridge regression of the labels on standardised channels."""

    def __init__(self, rows: np.ndarray, labels: np.ndarray):
        """rows: float [rows, channels]; labels: bool [rows], of both kinds."""
        self._mean, self._scale = rows.mean(axis=0), rows.std(axis=0) + 1e-12
        x, y = (rows - self._mean) / self._scale, np.where(labels, 1.0, -1.0)
        gram = x.T @ x / len(x) + _RIDGE * np.eye(x.shape[1])
        self._weights = np.linalg.solve(gram, x.T @ (y - y.mean()) / len(x))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Scores of rows [..., channels]: higher for those with a label."""
        return ((rows - self._mean) / self._scale) @ self._weights
