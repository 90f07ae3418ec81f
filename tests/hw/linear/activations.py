"""Vectors of activations as the engines take them."""

from __future__ import annotations

import numpy as np

__all__ = ["activation_words"]


def activation_words(q: np.ndarray, lanes: int, interleaved: bool = False) -> list[dict]:
    """The words of `lanes` elements of q [rows][count], row by row or the rows' words in turn, filled with zeros."""
    padded = np.pad(q, ((0, 0), (0, -q.shape[1] % lanes)))
    order = [(row, index) for row in range(len(q)) for index in range(0, padded.shape[1], lanes)]
    if interleaved:
        order.sort(key=lambda place: place[1])
    return [{"row": row, "index": index, "values": padded[row, index:index + lanes]} for row, index in order]
