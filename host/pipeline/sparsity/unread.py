"""Bytes of weights that zeros let a kernel leave unread: modelled from counts of one token's zeros.

Counted are the columns of `down` whose int8 input is zero, and the rows of `up` whose gate is zero behind its
activation, a token at a time. Zeros in front of q, k, v, o, gate and up count nothing: their matrices lie row by row.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from host.pipeline.host_steps import Look
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.gates import activated_rows
from models.checkpoint import Model
from models.golden.norm_quant import quantise
from models.golden.scalar import Scalar

__all__ = ["BITS_A_WEIGHT", "Unread", "matrix_bytes"]

BITS_A_WEIGHT = 1.6  # five trits a byte


class Unread:
    """Counts while a model runs; `looks` see what comes by."""

    def __init__(self, model: Model):
        self._model = model
        self._tokens = self._weights = 0
        self.looks: Mapping[Point, Look] = {Point(layer, site): self._look for layer in range(model.config.layers)
                                            for site in (Site.GATE, Site.DOWN)}

    def _look(self, point: Point, rows: np.ndarray, unit: Scalar) -> None:
        config = self._model.config
        if point.site == Site.DOWN:
            zeros = quantise(rows, unit)[0] == 0
        else:
            zeros = activated_rows(rows, unit, config.activation)[0] == 0
        self._weights += int(np.count_nonzero(zeros)) * config.hidden_size
        self._tokens += len(rows) if point == (0, Site.DOWN) else 0

    @property
    def bytes_a_token(self) -> float:
        """Their mean over the tokens seen so far."""
        return self._weights / max(self._tokens, 1) * BITS_A_WEIGHT / 8


def matrix_bytes(model: Model) -> float:
    """Of all ternary matrices, which a token reads."""
    return sum(linear.trits().size for layer in model.layers for linear in layer.linears.values()) * BITS_A_WEIGHT / 8
