"""Waiting for the fabric's interrupt by a UIO device, with an end to the waiting."""

from __future__ import annotations

import os
import select

__all__ = ["UioInterrupt"]

_ENABLE = (1).to_bytes(4, "little")
_COUNT_BYTES = 4


class UioInterrupt:
    """The line behind /dev/uioN. The kernel masks it as it fires; `arm` unmasks it. `OSError` where it cannot be had.

    The line is level-sensitive and stays high from DONE to the acknowledgement: arm it after START, never before.
    """

    def __init__(self, path: str):
        self.path = path
        self._file = os.open(path, os.O_RDWR)
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)

    def arm(self) -> None:
        """Let the next interrupt through."""
        os.write(self._file, _ENABLE)

    def wait(self, seconds: float) -> bool:
        """Whether it fired within so many seconds."""
        if not self._poll.poll(seconds * 1e3):
            return False
        os.read(self._file, _COUNT_BYTES)
        return True

    def close(self) -> None:
        """Give the file back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
