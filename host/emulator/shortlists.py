"""The lists of the best scores that SELECT keeps, by row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from host.emulator.image import ProgramError

__all__ = ["Shortlists"]


class _List(NamedTuple):
    ids: np.ndarray
    scores: np.ndarray
    offered: int  # ids of the vocabulary that it was chosen from: 0 .. offered - 1


class Shortlists:
    """Largest score first, what was offered first among equals."""

    def __init__(self) -> None:
        self._lists: dict[int, _List] = {}

    def offer(self, row: int, first_id: int, scores: np.ndarray, k: int, *, begin: bool) -> None:
        """Offer ids from `first_id` on to the list of a row, which keeps the k best; begin: of these alone."""
        end = first_id + scores.size
        ids = np.arange(first_id, end)
        if not begin:
            before = self.of(row)
            ids, scores = np.concatenate([before.ids, ids]), np.concatenate([before.scores, scores])
        best = np.argsort(-scores, kind="stable")[:k]
        self._lists[row] = _List(ids[best], scores[best], end)

    def of(self, row: int) -> _List:
        """The list of a row; `ProgramError` where it has none."""
        if row not in self._lists:
            raise ProgramError(f"row {row} has no shortlist")
        return self._lists[row]
