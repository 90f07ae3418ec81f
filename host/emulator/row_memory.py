"""Memories of the machine that hold something for each row of a pass."""

from __future__ import annotations

import numpy as np

from models.golden.scalar import Scalar

__all__ = ["RowMemory", "ScalarMemory"]


class RowMemory:
    """Arrays by row: written for adjacent rows, in one shape a row; read back for rows of equal shape."""

    def __init__(self) -> None:
        self._rows: dict[int, np.ndarray] = {}

    def __setitem__(self, rows: slice, values: np.ndarray) -> None:
        self._rows.update(zip(range(rows.start, rows.stop), values, strict=True))

    def __getitem__(self, rows: slice) -> np.ndarray:
        return np.stack([self._rows[row] for row in range(rows.start, rows.stop)])


class ScalarMemory:
    """Scalars, or arrays of them, by row."""

    def __init__(self) -> None:
        self._parts = RowMemory(), RowMemory()

    def __setitem__(self, rows: slice, values: Scalar) -> None:
        for memory, part in zip(self._parts, values, strict=True):
            memory[rows] = part

    def __getitem__(self, rows: slice) -> Scalar:
        return Scalar(*(memory[rows] for memory in self._parts))
