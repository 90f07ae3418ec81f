"""The emulator behind the device interface: registers and memory of the accelerator, in software."""

from __future__ import annotations

from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

import numpy as np

from host.devices.base import Buffer, Device, Progress, WeightBytes
from host.emulator.image import OutsideError, ProgramError
from host.emulator.library import NUMPY, THREADS, chosen_kernels
from host.emulator.machine import Machine
from host.emulator.native_machine import NativeMachine
from models.errors import OptionError
from models.machine.build import BuildParameters
from models.machine.registers import (
    IDENTITY,
    LIMIT_BYTES,
    REGISTERS,
    SEQUENCES,
    VERSION,
    Client,
    Control,
    Fault,
    Status,
    position_register,
)

__all__ = ["EmulatorDevice"]

BASE = 0x1_0000_0000  # above 4 GiB, so that a lost address bit shows
_NAMES = {r.offset: r for r in REGISTERS}


class EmulatorDevice(Device):
    """Runs programs bit for bit as the fabric does, many rows at a time. Counts no cycles, so that nothing is ever busy
    and there is nothing to abort. BASE and LIMIT hold for whole programs: where they leave out part of the memory,
    every run is refused.

    kernels: one of `host.emulator.library.KERNELS`; threads: None for as many as pay; skip: weights that a zero makes
    useless are not read. None of them changes a bit.
    """

    name = "emulator"

    def __init__(self, build: BuildParameters, *, kernels: str = "auto", threads: int | None = None,
                 skip: bool = True):
        if threads is not None and not 1 <= threads <= THREADS:
            raise OptionError(f"threads must be 1 to {THREADS}, got {threads}")
        self.build = build
        self.kernels, self.threads, self.skip = chosen_kernels(kernels), threads, skip
        self._registers = {r.name: r.reset for r in REGISTERS} | {"ID": IDENTITY, "VERSION": VERSION,
                                                                  "STATUS": Status.QUIET}
        self.machine: Machine | NativeMachine | None = None

    def allocate(self, size: int) -> Buffer:
        # an anonymous map: pages of the cache become resident when tokens reach them, not 2 MiB at a time
        memory = np.frombuffer(mmap(-1, size, flags=MAP_PRIVATE | MAP_ANONYMOUS), np.uint8)
        if self.kernels == NUMPY:
            self.machine = Machine(self.build, memory, BASE)
        else:
            self.machine = NativeMachine(self.build, memory, BASE, kernels=self.kernels, threads=self.threads,
                                         skip=self.skip)
        self._registers["SATURATIONS"] = self._registers["INVALID_TRITS"] = 0  # as the new machine counts them
        self.confine(BASE, size)
        return Buffer(memory, BASE)

    def place(self, buffer: Buffer, start: int, data: np.ndarray) -> None:
        """Streams are read where they lie: a loaded model's stay mapped from its file."""
        self.machine.image.place(buffer.address + start, data)

    @property
    def weights_read(self) -> WeightBytes:
        return self.machine.weights_read

    def write_register(self, offset: int, value: int) -> None:
        name = _NAMES[offset].name
        if name == "CONTROL":
            self._control(value)
        elif _NAMES[offset].access == "rw":
            self._registers[name] = value & 0xFFFFFFFF

    def read_register(self, offset: int) -> int:
        return self._registers[_NAMES[offset].name]

    def wait(self, progress: Progress | None = None) -> None:
        """Runs end inside the write that starts them."""

    def _control(self, value: int) -> None:
        if value & Control.CLEAR:
            self._registers |= {"SATURATIONS": 0, "INVALID_TRITS": 0}
            if self.machine is not None:
                self.machine.saturations = self.machine.invalid_trits = 0
        if value & Control.ACKNOWLEDGE:
            self._registers["STATUS"] = Status.QUIET
        if value & Control.START and not value & Control.ABORT and not self._registers["STATUS"] & Status.ERROR:
            self._start()

    def _start(self) -> None:
        r, machine = self._registers, self.machine
        r |= {"FAULT": 0, "FAULT_ADDRESS_LOW": 0, "FAULT_ADDRESS_HIGH": 0}
        if machine is None or not self._covers(BASE, machine.image.memory.size):
            self._end(Status.ERROR_OUTSIDE)
            r |= {"FAULT": Fault(Client.PROGRAM, port=0, write=0, response=0).word,
                  "FAULT_ADDRESS_LOW": r["PROGRAM_LOW"], "FAULT_ADDRESS_HIGH": r["PROGRAM_HIGH"]}
            return
        try:
            machine.run(r["PROGRAM_LOW"] | r["PROGRAM_HIGH"] << 32, r["DESCRIPTORS"],
                        *(r[position_register(sequence)] for sequence in range(SEQUENCES)))
            self._end(Status.ERROR_NONE)
        except OutsideError:
            self._end(Status.ERROR_OUTSIDE)
        except ProgramError:
            self._end(Status.ERROR_DESCRIPTOR)
        r["SATURATIONS"], r["INVALID_TRITS"] = machine.saturations, machine.invalid_trits
        r["ZEROS"], r["ACTIVATIONS"] = machine.zeros, machine.activations

    def _covers(self, address: int, size: int) -> bool:
        """Whether these bytes lie in BASE to LIMIT."""
        first, end = (self._registers[name] * LIMIT_BYTES for name in ("BASE", "LIMIT"))
        return first <= address and address + size <= end

    def _end(self, code: int) -> None:
        self._registers["STATUS"] = Status.QUIET | Status.DONE | (Status.ERROR | code << 8 if code else 0)
