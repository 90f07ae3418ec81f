"""The lists of the best scores that SELECT keeps, by row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from host.emulator.image import ProgramError

__all__ = ["Shortlist", "Shortlists"]


class Shortlist(NamedTuple):
    """Ids and their scores, best first; chosen from ids 0 .. `offered` - 1."""

    ids: np.ndarray
    scores: np.ndarray
    offered: int


class Shortlists:
    """Largest score first, what was offered first among equals."""

    def __init__(self) -> None:
        self._lists: dict[int, Shortlist] = {}

    def offer(self, row: int, first_id: int, scores: np.ndarray, k: int, *, begin: bool) -> None:
        """Offer ids from `first_id` on to the list of a row, which keeps the k best; begin: of these alone."""
        end = first_id + scores.size
        ids = np.arange(first_id, end)
        if not begin:
            before = self.of(row)
            ids, scores = np.concatenate([before.ids, ids]), np.concatenate([before.scores, scores])
        best = np.argsort(-scores, kind="stable")[:k]
        self._lists[row] = Shortlist(ids[best], scores[best], end)

    def of(self, row: int) -> Shortlist:
        """The list of a row; `ProgramError` where it has none."""
        if row not in self._lists:
            raise ProgramError(f"row {row} has no shortlist")
        return self._lists[row]
