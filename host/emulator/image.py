"""The memory that a program lies in, as descriptors address it; constant streams may stay where they are on disk."""

from __future__ import annotations

import numpy as np

__all__ = ["Image", "OutsideError", "ProgramError"]


class ProgramError(Exception):
    """A descriptor that the accelerator would refuse or wait for without end."""


class OutsideError(ProgramError):
    """An access outside the program's memory."""


class Image:
    """`memory`, uint8, seen at address `base`, and arrays placed over parts of it.

    A placed array is read in place of the memory below it, which is then never touched: a model's packed
    weights stay mapped from their file.
    """

    def __init__(self, memory: np.ndarray, base: int):
        self.memory, self.base = memory, base
        self._placed: dict[int, np.ndarray] = {}

    def place(self, address: int, data: np.ndarray) -> None:
        """Let reads of a stream at `address` see `data`, uint8, contiguous."""
        self._placed[address] = data

    def view(self, address: int, size: int) -> np.ndarray:
        """Bytes of the memory itself."""
        start = address - self.base
        if start < 0 or size < 0 or start + size > self.memory.size:
            raise OutsideError(f"address {address:#x} (+{size}) lies outside the program's memory")
        return self.memory[start:start + size]

    def stream(self, address: int, size: int) -> np.ndarray:
        """Bytes of a stream, placed or in memory."""
        data = self._placed.get(address)
        if data is None:
            return self.view(address, size)
        if size > data.size:
            raise OutsideError(f"a stream of {data.size} bytes at {address:#x} ends before the {size} asked for")
        return data[:size]
