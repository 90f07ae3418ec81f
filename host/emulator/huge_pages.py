"""Copies of constant streams in memory of huge pages.

A kernel that streams weights from small pages waits for their translation: on a two-core Zen 4, products of one row
read 14 GB/s a thread from pages of 4 KiB, as a mapped file's are, and 18 from pages of 2 MiB. NumPy asks the system for
huge pages for any large array, and gets them where the system has them.
"""

from __future__ import annotations

import numpy as np

from models.mapped_file import give_back

__all__ = ["HugePages"]

_BLOCK = 64 << 20  # bytes; what is never written takes no memory
_LEAST = 1 << 18  # of a stream that is worth its copy
_LINE = 64


class HugePages:
    """Keeps copies, one behind the other."""

    def __init__(self) -> None:
        self._block, self._used = np.empty(0, np.uint8), 0

    def keep(self, data: np.ndarray) -> np.ndarray:
        """A copy of `data`, uint8, that starts on a cache line; `data` itself where it is small. The pages of a mapped
        file that were read for it are given back."""
        if data.size < _LEAST:
            return data
        if self._used + data.size > self._block.size:
            self._block = np.empty(max(_BLOCK, data.size) + _LINE, np.uint8)
            self._used = -self._block.ctypes.data % _LINE
        copy = self._block[self._used:self._used + data.size]
        copy[:] = data
        give_back(data)
        self._used += -(-data.size // _LINE) * _LINE
        return copy
