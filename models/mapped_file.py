"""A file mapped into memory, read-only, whose pages can be given back once they were read."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np

from models.errors import ModelError

__all__ = ["MappedFile", "give_back"]

_DONTNEED = getattr(mmap, "MADV_DONTNEED", None)  # absent where the system has no madvise


class MappedFile:
    """The bytes of a file, not read before they are touched. `ModelError` where it cannot be opened, is empty, or is
    no file: a pipe would wait for ever.

    Arrays over it stay valid after `release`: their pages come back from the file when they are touched again.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            if not path.is_file() and path.exists():
                raise ModelError(f"{path}: expected a file, found something else")
            with open(path, "rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise ModelError(f"{path}: no such file") from None
        except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise ModelError(f"{path}: cannot be read: {error}") from None
        self.bytes = np.frombuffer(self._map, np.uint8)
        """uint8 [size], read-only."""

    def release(self) -> None:
        """Give back all pages read so far, which otherwise count as memory of the process until it ends."""
        if _DONTNEED is not None:
            self._map.madvise(_DONTNEED)


def give_back(array: np.ndarray) -> None:
    """Give back the pages that lie wholly within an array over a mapped file; nothing where it is over none."""
    base: object = array
    while isinstance(base, np.ndarray):
        whole, base = base, base.base
    if _DONTNEED is None or not isinstance(base, memoryview) or not isinstance(base.obj, mmap.mmap):
        return
    begin = array.ctypes.data - whole.ctypes.data
    first, last = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE, (begin + array.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if first < last:
        base.obj.madvise(_DONTNEED, first, last - first)
