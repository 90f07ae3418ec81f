"""What is said of an artefact's tensors."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["tensor_summary"]


def tensor_summary(tensors: Iterable[tuple[str, np.ndarray]]) -> dict[str, dict[str, object]]:
    """For each tensor, ready for JSON: shape, least, mean and largest value (None where it is empty)."""
    return {name: {"shape": list(array.shape), **{what: float(getattr(array, what)()) if array.size else None
                                                  for what in ("min", "mean", "max")}}
            for name, array in tensors}
