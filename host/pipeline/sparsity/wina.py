"""WINA: of a linear input's channels those stay whose magnitude times the norm of their weights is among the K largest.

The norm of a ternary column is beta * sqrt(nonzero trits). A site that several matrices read has one mask; its weights
are theirs stacked: norm_i**2 = sum over matrices of beta**2 * nnz_i, the bound on the error of all products together.
Scores are exact: |x| of at most 39 bits times a norm of 23, relative to the site's largest. K follows from TEAL's
greedy allocation, as in the paper's code. Source: WINA (weight informed neuron activation), arXiv 2505.19427.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from host.pipeline.site import Point, Site
from host.pipeline.sparsity.allocated_mask import AllocatedMask, column_norms
from host.pipeline.sparsity.allocation import READERS
from host.pipeline.sparsity.ranked_mask import largest
from models.checkpoint import Model
from models.golden.scalar import Scalar, from_word, to_float

__all__ = ["NORM_BITS", "Wina", "site_norms"]

NORM_BITS = 23


class Wina(AllocatedMask):
    """shares: see `AllocatedMask`."""

    method = "wina"

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self._norms: dict[Point, np.ndarray] = {}

    def keeps(self, point: Point, x: np.ndarray, unit: Scalar, model: Model, kept: int) -> np.ndarray:
        if point not in self._norms:
            self._norms[point] = site_norms(point, model)
        return largest(np.abs(x) * self._norms[point], kept)


def site_norms(point: Point, model: Model) -> np.ndarray:
    """int64 [channels]: norms of the columns that read a linear input, in 23 bits; the largest is 2**23 - 1."""
    linears = model.layers[point.layer].linears
    norms = column_norms((linears[name].trits(), float(to_float(from_word(linears[name].scale))))
                         for name in READERS[Site(point.site)])
    return np.rint(norms / max(float(norms.max()), 1e-300) * ((1 << NORM_BITS) - 1)).astype(np.int64)
