"""Vectors of activations as the engines take them."""

from __future__ import annotations

import numpy as np

from models.machine.build import LANES

__all__ = ["activation_words"]


def activation_words(q: np.ndarray, interleaved: bool = False) -> list[dict]:
    """The words of q [rows][count], row by row or the rows' words in turn; what fills the last ones is zero."""
    padded = np.pad(q, ((0, 0), (0, -q.shape[1] % LANES)))
    order = [(row, index) for row in range(len(q)) for index in range(0, padded.shape[1], LANES)]
    if interleaved:
        order.sort(key=lambda place: place[1])
    return [{"row": row, "index": index, "values": padded[row, index:index + LANES]} for row, index in order]
