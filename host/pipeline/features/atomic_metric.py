"""The inner product in which directions of activations are compared: corrected by the activations' covariance.

<a, b> = a^T S b with S = (C + floor)^-1, C the covariance of the rows. For rows D c with independent amounts c, C is
D diag(var c) D^T. A linear map T of the space, by which a network shifts and stretches its representation, takes
directions to T d and S to T^-T S T^-1: the inner product of two directions stays what it was, while their cosine in
channels does not. Source: "Towards Atoms of Large Language Models" (atomic inner product).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["AtomicMetric", "atomic_metric"]

_FLOOR = 1e-6
"""Least eigenvalue of C, over the mean one: directions in which rows hardly vary would count without bound."""


class AtomicMetric(NamedTuple):
    """mean: [channels], of the rows. whitening: [channels, channels], symmetric, the root of S; unwhitening: its
    inverse. <a, b> is the plain product of `whitening @ a` and `whitening @ b`."""

    mean: np.ndarray
    whitening: np.ndarray
    unwhitening: np.ndarray

    def cosines(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Of every column of a with every column of b, under the inner product: [columns of a, columns of b]."""
        a, b = (side / np.linalg.norm(side, axis=0) for side in (self.whitening @ a, self.whitening @ b))
        return a.T @ b


def atomic_metric(rows: np.ndarray) -> AtomicMetric:
    """The metric of activations, float64 [rows, channels]. `ValueError` where they do not vary."""
    values, vectors = np.linalg.eigh(np.cov(rows, rowvar=False, bias=True).reshape(rows.shape[1], -1))
    if not values.max() > 0:
        raise ValueError("the rows do not vary: there is no covariance to correct by")
    roots = np.sqrt(np.maximum(values, _FLOOR * values.mean()))
    return AtomicMetric(rows.mean(axis=0), vectors / roots @ vectors.T, vectors * roots @ vectors.T)
