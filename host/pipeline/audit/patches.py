"""Stages that put other values in the place of a point's rows, for audits alone: they run at a stop, on the host.

Values are in the float model's units; what a stage leaves is rounded to the row's integers, so the rest of the pass is
the exact model's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.golden.model import RowStage
from models.golden.scalar import Scalar, to_float

__all__ = ["adding", "replacing", "setting"]


def setting(direction: np.ndarray, target: float) -> RowStage:
    """Patching along a direction of norm 1: each row's product with it becomes `target`, what is orthogonal stays."""
    def stage(x: np.ndarray, unit: Scalar) -> np.ndarray:
        return _moved(x, unit, (target - (x @ direction) * to_float(unit))[:, None] * direction)
    return stage


def adding(vector: np.ndarray) -> RowStage:
    """Steering: the same vector is added to each row."""
    def stage(x: np.ndarray, unit: Scalar) -> np.ndarray:
        return _moved(x, unit, vector)
    return stage


def replacing(rows: Mapping[int, np.ndarray]) -> RowStage:
    """Patching whole rows of a pass, by their number in it: [channels] each. A number beyond the pass is ignored."""
    def stage(x: np.ndarray, unit: Scalar) -> np.ndarray:
        patched, steps = x.copy(), to_float(unit)
        for row, values in rows.items():
            if row < len(x):
                patched[row] = np.rint(values / steps[row])
        return patched
    return stage


def _moved(x: np.ndarray, unit: Scalar, by: np.ndarray) -> np.ndarray:
    """Rows moved by values; a row without a unit has nothing but zeros, and stays."""
    steps = to_float(unit)[:, None]
    return x + np.rint(np.divide(by, steps, out=np.zeros(x.shape), where=steps > 0)).astype(np.int64)
