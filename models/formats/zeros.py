"""Tensors that hold zeros alone, as a download with holes leaves them: they convert, and are named."""

from __future__ import annotations

import numpy as np

__all__ = ["ZeroTensors", "zeros_in_words"]

_NAMED = 4


class ZeroTensors:
    """Looks at tensors as they are read, whole or by rows, in any order."""

    def __init__(self) -> None:
        self._alone: dict[str, bool] = {}

    def look(self, name: str, *parts: np.ndarray) -> np.ndarray:
        """Look at a tensor, or at rows of it, in each form that it has: stored, unpacked. Zeros in one are enough.

        Returns the last of the forms.
        """
        alone = not all(part.any() for part in parts)
        self._alone[name] = self._alone.get(name, True) and alone
        return parts[-1]

    @property
    def names(self) -> list[str]:
        """Those that nobody saw anything but zeros of, as the file names them."""
        return [name for name, alone in self._alone.items() if alone]


def zeros_in_words(names: list[str]) -> str:
    """A note that names the first few."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    what = "tensors" if len(names) > 1 else "tensor"
    return f"zeros alone in the {what} {', '.join(names[:_NAMED])}{more}: is the file whole?"
