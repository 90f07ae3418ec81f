"""A control that no device could afford: the channels go whose loss costs the true output least.

One channel after another is taken away, each time the one for which |sum over what is gone of q_i * W_i|**2 grows
least, over all matrices that read the site (each by its scale squared, in 12 bits), until K are left. Greedy, so not
the best of all sets, but it knows the weights and the token. Exact integers on the int8 inputs q; ties go to the lower
channel. It holds a square of each site's channels in memory: for small models.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from host.pipeline.site import Point, Site
from host.pipeline.sparsity.allocated_mask import AllocatedMask
from host.pipeline.sparsity.allocation import READERS
from models.checkpoint import Model
from models.golden.norm_quant import quantise
from models.golden.scalar import Scalar, from_word, to_float

__all__ = ["Oracle"]

_SCALE_BITS = 12
_NEVER = np.iinfo(np.int64).max


class Oracle(AllocatedMask):
    """shares: see `AllocatedMask`; natural zeros are among them."""

    method = "oracle"

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self._grams: dict[Point, np.ndarray] = {}

    def keeps(self, point: Point, x: np.ndarray, unit: Scalar, model: Model, kept: int) -> np.ndarray:
        if point not in self._grams:
            self._grams[point] = _gram(point, model)
        gram, q = self._grams[point], quantise(x, unit)[0]
        stays = q != 0
        left, rows = np.count_nonzero(stays, axis=1) - kept, np.arange(len(q))
        alone, gone = q * q * np.diag(gram), np.zeros_like(q)  # gone: the products of what went with every column
        for _ in range(max(int(left.max()), 0)):
            cost = np.where(stays, alone + 2 * q * gone, _NEVER)
            [some] = np.nonzero(left > 0)
            channels = cost.argmin(axis=1)[some]
            stays[rows[some], channels] = False
            gone[some] += q[some, channels][:, None] * gram[channels]
            left[some] -= 1
        return stays


def _gram(point: Point, model: Model) -> np.ndarray:
    """int64 [channels, channels]: products of the columns that read a site, below 2**26."""
    linears = [model.layers[point.layer].linears[name] for name in READERS[Site(point.site)]]
    squares = np.array([float(to_float(from_word(linear.scale))) ** 2 for linear in linears])
    factors = np.rint(squares / max(float(squares.max()), 1e-300) * (1 << _SCALE_BITS)).astype(np.int64)
    total = np.zeros((linears[0].inputs, linears[0].inputs), np.int64)
    for linear, factor in zip(linears, factors.tolist(), strict=True):
        trits = linear.trits().astype(np.float32)  # sums of trits below 2**24 are exact
        total += factor * np.rint(trits.T @ trits).astype(np.int64)
    return total
