"""The device interface: memory the accelerator reads, its registers, and a run.

Everything above it (`host.runtime`) is the same for the emulator, the simulation and a board.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.errors import DeviceError
from models.machine.build import BuildParameters
from models.machine.descriptor import Engine
from models.machine.registers import (
    IDENTITY,
    LIMIT_BYTES,
    VERSION,
    Control,
    Status,
    position_register,
    register,
)

__all__ = ["Buffer", "Device", "Progress", "WeightBytes"]

Progress = Callable[[int], None]  # called now and then during a run, with the cycles so far


@dataclass(frozen=True)
class Buffer:
    """Contiguous device memory: `array` is uint8, `address` is where the accelerator sees it."""

    array: np.ndarray
    address: int


class WeightBytes(NamedTuple):
    """Of ternary weights: what the products of a run stand for, and what was read for them. Rows of activations that go
    through a matrix together count it once."""

    all: int
    read: int


class Device(ABC):
    """An accelerator, real or not. `build` says what it can hold, and how many tokens a pass takes."""

    name: str
    build: BuildParameters
    saturated_before = 0
    """SATURATIONS, which counts since reset, when memory was allocated."""

    @property
    def weights_read(self) -> WeightBytes | None:
        """In the last run; None where the device does not count."""
        return None

    @abstractmethod
    def allocate(self, size: int) -> Buffer:
        """Contiguous memory, zeroed, 4 KiB aligned: all that the accelerator may access (`confine`). One buffer a
        device; a second call replaces it."""

    @abstractmethod
    def write_register(self, offset: int, value: int) -> None:
        """Write a 32-bit register."""

    @abstractmethod
    def read_register(self, offset: int) -> int:
        """Read a 32-bit register."""

    @abstractmethod
    def wait(self, progress: Progress | None = None) -> None:
        """Return when the run started last has ended, well or not."""

    def place(self, buffer: Buffer, start: int, data: np.ndarray) -> None:
        """Make constant bytes appear at `start` of a buffer: a copy, unless the device can read them where they lie."""
        buffer.array[start:start + data.size] = data

    def flush(self, buffer: Buffer, start: int, size: int) -> None:  # noqa: B027  (a board's caches override it)
        """Make the host's writes to part of a buffer visible to the device."""

    def invalidate(self, buffer: Buffer, start: int, size: int) -> None:  # noqa: B027
        """Make the device's writes to part of a buffer visible to the host."""

    def close(self) -> None:  # noqa: B027
        """Give back what the device holds."""

    def set(self, name: str, value: int) -> None:
        """Write a register by name."""
        self.write_register(register(name).offset, value)

    def get(self, name: str) -> int:
        """Read a register by name."""
        return self.read_register(register(name).offset)

    def confine(self, address: int, size: int) -> None:
        """Let the accelerator access these bytes alone, in whole blocks of 256."""
        self.set("BASE", address // LIMIT_BYTES)
        self.set("LIMIT", -(-(address + size) // LIMIT_BYTES))

    def busy(self) -> dict[Engine, int]:
        """Cycles of the last run in which each engine worked on a descriptor; the emulator counts none."""
        return {engine: self.get(f"BUSY_{engine.name}") for engine in Engine}

    def identify(self) -> None:
        """Raise `DeviceError` unless the device speaks this version of the register map."""
        identity, version = self.get("ID"), self.get("VERSION")
        if identity != IDENTITY:
            raise DeviceError(f"device {self.name} is not a Tritloom accelerator: its ID register reads {identity:#x}")
        if version != VERSION:
            raise DeviceError(f"device {self.name} speaks version {version} of the register map, "
                              f"this runtime {VERSION}")

    def run(self, address: int, count: int, *positions: int, progress: Progress | None = None) -> int:
        """Run `count` descriptors from `address`; returns the cycles. positions: of sequence 0, 1, ..."""
        self.set("PROGRAM_LOW", address & 0xFFFFFFFF)
        self.set("PROGRAM_HIGH", address >> 32)
        self.set("DESCRIPTORS", count)
        for sequence, position in enumerate(positions):
            self.set(position_register(sequence), position)
        self.set("CONTROL", Control.START)
        self.wait(progress)
        status = self.get("STATUS")
        cycles = self.get("CYCLES_LOW") | self.get("CYCLES_HIGH") << 32
        self.set("CONTROL", Control.ACKNOWLEDGE)
        if status & Status.ERROR:
            reason = {Status.ERROR_AXI: "a memory access was refused", Status.ERROR_DESCRIPTOR: "a bad descriptor",
                      Status.ERROR_WATCHDOG: "the watchdog expired",
                      Status.ERROR_OUTSIDE: "an access outside the program's memory",
                      Status.ERROR_ABORTED: "the run was aborted",
                      Status.ERROR_BUSY: "it was started while it was busy"}
            raise DeviceError(f"device {self.name} stopped: {reason.get(status >> 8 & 255, 'unknown error')}")
        return cycles
