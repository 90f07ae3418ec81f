"""The device interface: memory the accelerator reads, its registers, and a run.

Everything above it (`host.runtime`) is the same for the emulator, the simulation and a board.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from host.devices.fault_cause import fault_cause
from models.errors import DeviceError
from models.machine.build import BuildParameters
from models.machine.descriptor import Engine
from models.machine.dram_starts import DramStarts
from models.machine.registers import IDENTITY, LIMIT_BYTES, VERSION, Control, Status, position_register, register

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
    """An accelerator, real or not. `build` says what it can hold, and how many tokens a pass takes.

    Whatever ends a run, an exception such as Ctrl-C included, ends it in the device too; what is not known to have
    ended, as when another process began it, is ended before the next run.
    """

    name: str
    build: BuildParameters
    starts: DramStarts | None = None
    """Of streams and caches in its memory, where they were measured; None: those of the build's board."""
    near = True
    """Whether its registers cost nothing to read, so that what it counts is read after every run."""
    buffer: Buffer | None = None
    """What was allocated last: all that the device may touch."""
    watchdog: int | None = None
    """Cycles without a retired descriptor after which a run is ended; None: as the device has it after a reset."""
    patience = 2000
    """Pauses within which a device must have come to rest."""
    _settled = False  # nothing runs, nothing is under way, and the registers are set up

    @property
    def weights_read(self) -> WeightBytes | None:
        """In the last run; None where the device does not count."""
        return None

    def allocate(self, size: int) -> Buffer:
        """Contiguous memory, zeroed, 4 KiB aligned: all that the accelerator may access (`confine`). One buffer a
        device; a second call replaces it, and counters such as SATURATIONS begin anew."""
        self.stop()
        self.buffer = None  # its memory may be what the next one is made of
        self.buffer = self._memory(size)
        self._set_up()
        self.set("CONTROL", Control.CLEAR)
        return self.buffer

    @abstractmethod
    def _memory(self, size: int) -> Buffer:
        """The memory that `allocate` gives."""

    @abstractmethod
    def write_register(self, offset: int, value: int) -> None:
        """Write a 32-bit register."""

    @abstractmethod
    def read_register(self, offset: int) -> int:
        """Read a 32-bit register."""

    @abstractmethod
    def wait(self, progress: Progress | None = None) -> None:
        """Return when the run started last has ended, well or not (`ended`)."""

    def _pause(self) -> None:  # noqa: B027  (the emulator has nothing to wait for)
        """Let the device go on for a little: far less than a run takes."""

    def place(self, buffer: Buffer, start: int, data: np.ndarray) -> None:
        """Make constant bytes appear at `start` of a buffer: a copy, unless the device can read them where they lie."""
        buffer.array[start:start + data.size] = data

    def flush(self, buffer: Buffer, start: int, size: int) -> None:  # noqa: B027  (a board's caches override it)
        """Make the host's writes to part of a buffer visible to the device."""

    def invalidate(self, buffer: Buffer, start: int, size: int) -> None:  # noqa: B027
        """Make the device's writes to part of a buffer visible to the host."""

    def close(self) -> None:
        """End what runs, and give back what the device holds."""
        self.stop()

    def _distrust(self) -> None:  # noqa: B027  (where nothing is remembered)
        """Forget what is remembered of the registers: a reset may have changed them."""

    def ended(self) -> bool:
        """Whether the run has ended, well or not; `DeviceError` where a reset ended it."""
        status = self.get("STATUS")
        if status & (Status.BUSY | Status.DONE | Status.ERROR):
            return not status & Status.BUSY
        raise DeviceError(f"device {self.name} was reset in the midst of a run")

    def stop(self) -> None:
        """Make sure that nothing runs and nothing of the device is under way to memory, and that the next run can
        begin: after any error, this one call.

        A run under way is ended; what it has written since it began is undefined. `DeviceError` where memory does not
        answer, so that the device does not come to rest: its buffer must then be kept.
        """
        if self._settled:
            return
        self._distrust()
        self.set("CONTROL", Control.ABORT)
        for _ in range(self.patience):
            status = self.get("STATUS")
            if status & Status.QUIET and not status & Status.BUSY:
                break
            self._pause()
        else:
            raise DeviceError(f"device {self.name} does not come to rest: its memory owes it answers. Reset it, and "
                              f"leave its memory alone until then")
        self._set_up()
        self._settled = True

    def recover(self, *, rewritten: bool = False) -> None:
        """As `stop`, whatever is believed of the device: another may have used it, it may have been reset.

        rewritten: its memory is written anew before the next run. Otherwise `DeviceError` where it may have lost what
        it held.
        """
        self._settled = False
        self.stop()

    def _set_up(self) -> None:
        """Acknowledge what ended, and write the registers that a reset loses."""
        self.confine(*(0, 0) if self.buffer is None else (self.buffer.address, self.buffer.array.size))
        if self.watchdog is not None:
            self.set("WATCHDOG", self.watchdog)
        self.set("CONTROL", Control.ACKNOWLEDGE)

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
        """Run `count` descriptors from `address`; returns the cycles. positions: of sequence 0, 1, ...

        `DeviceError` says why it stopped. Whatever is raised, Ctrl-C as well, nothing runs any more.
        """
        self.stop()
        self._settled = False
        try:
            self.set("PROGRAM_LOW", address & 0xFFFFFFFF)
            self.set("PROGRAM_HIGH", address >> 32)
            self.set("DESCRIPTORS", count)
            for sequence, position in enumerate(positions):
                self.set(position_register(sequence), position)
            self.set("CONTROL", Control.START)
            self.wait(progress)
            if self.get("STATUS") & Status.ERROR:
                raise DeviceError(f"device {self.name} stopped: {self._cause()}")
            cycles = self.get("CYCLES_LOW") | self.get("CYCLES_HIGH") << 32
            self.set("CONTROL", Control.ACKNOWLEDGE)
        except BaseException as error:
            self._end_after(error)
            raise
        self._settled = True
        return cycles

    def _cause(self) -> str:
        """Why the last run ended with an error."""
        return fault_cause(self.get)

    def _end_after(self, error: BaseException) -> None:
        """Stop because of an exception; where that fails too, its line has both."""
        try:
            self.stop()
        except DeviceError as lost:
            if isinstance(error, DeviceError):
                raise DeviceError(f"{error}; {lost}") from None
