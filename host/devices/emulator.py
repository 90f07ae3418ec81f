"""The emulator behind the device interface: registers and memory of the accelerator, in software."""

from __future__ import annotations

import numpy as np

from host.devices.base import Buffer, Device, Progress
from host.emulator.machine import Machine, ProgramError
from models.machine.build import BuildParameters
from models.machine.registers import IDENTITY, REGISTERS, VERSION, Status

__all__ = ["EmulatorDevice"]

BASE = 0x1_0000_0000  # above 4 GiB, so that a lost address bit shows
_NAMES = {r.offset: r for r in REGISTERS}


class EmulatorDevice(Device):
    """Runs programs bit for bit as the fabric does, many rows at a time. Counts no cycles."""

    name = "emulator"
    rows_max = 128

    def __init__(self, build: BuildParameters):
        self.build = build
        self._registers = {r.name: 0 for r in REGISTERS} | {"ID": IDENTITY, "VERSION": VERSION}
        self.machine: Machine | None = None

    def allocate(self, size: int) -> Buffer:
        memory = np.zeros(size, np.uint8)
        self.machine = Machine(self.build, memory, BASE)
        return Buffer(memory, BASE)

    def write_register(self, offset: int, value: int) -> None:
        name = _NAMES[offset].name
        if name == "CONTROL":
            if value & 1:
                self._start()
            if value & 2:
                self._registers["STATUS"] = 0
        elif _NAMES[offset].access == "rw":
            self._registers[name] = value & 0xFFFFFFFF

    def read_register(self, offset: int) -> int:
        return self._registers[_NAMES[offset].name]

    def wait(self, progress: Progress | None = None) -> None:
        """Runs end inside the write that starts them."""

    def _start(self) -> None:
        r, machine = self._registers, self.machine
        if machine is None:
            r["STATUS"] = Status.DONE | Status.ERROR | Status.ERROR_AXI << 8
            return
        try:
            machine.run(r["PROGRAM_LOW"] | r["PROGRAM_HIGH"] << 32, r["DESCRIPTORS"], r["POSITION"])
            r["STATUS"] = Status.DONE
        except ProgramError:
            r["STATUS"] = Status.DONE | Status.ERROR | Status.ERROR_DESCRIPTOR << 8
        r["SATURATIONS"], r["INVALID_TRITS"] = machine.saturations, machine.invalid_trits
        r["ZEROS"], r["ACTIVATIONS"] = machine.zeros, machine.activations
