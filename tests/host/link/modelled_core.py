"""The emulator as a core behind a link: a part of a memory, runs that take time, an interrupt, a reset."""

from __future__ import annotations

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.emulator.native_machine import NativeMachine
from models.machine.build import BuildParameters
from models.machine.descriptor import DESCRIPTOR_BYTES, Opcode, unpack
from models.machine.registers import IDENTITY, LIMIT_BYTES, REGISTERS, VERSION, Control, Status, register

__all__ = ["ModelledCore"]

_BUILD = register("BUILD").offset


class ModelledCore(EmulatorDevice):
    """memory: uint8, whose first byte is at address 0. run_s: that a run takes. word: of the register BUILD."""

    def __init__(self, build: BuildParameters, memory: np.ndarray, *, run_s: float, word: int):
        super().__init__(build, threads=1)
        self.dram, self.run_s, self.word = memory, run_s, word
        self.now = 0.0
        self.ends: float | None = None  # of the run under way
        self.runs = 0
        self._machines: dict[tuple[int, int], NativeMachine] = {}
        self._streams = range(0)  # addresses of what the emulator has read and remembers

    def reset(self) -> None:
        """As behind configuration."""
        self.ends = None
        self._registers |= {r.name: r.reset for r in REGISTERS if r.access != "wp"}
        self._registers |= {"ID": IDENTITY, "VERSION": VERSION, "STATUS": Status.QUIET}

    def advance(self, now: float) -> None:
        """Let time pass: a run may end."""
        self.now = now
        if self.ends is not None and now >= self.ends:
            self.ends = None
            self._run()

    @property
    def irq(self) -> bool:
        return bool(self._registers["STATUS"] & (Status.DONE | Status.ERROR))

    def wrote(self, address: int, size: int) -> None:
        """Memory was written from outside."""
        if self.machine is not None and address + size > self._streams.start and address < self._streams.stop:
            self.machine.forget_streams()

    def read_register(self, offset: int) -> int:
        return self.word if offset == _BUILD else super().read_register(offset)

    def _control(self, value: int) -> None:
        if self.ends is not None and value & (Control.ABORT | Control.START):
            self.ends = None
            self._end(Status.ERROR_ABORTED if value & Control.ABORT else Status.ERROR_BUSY)
        super()._control(value)

    def _start(self) -> None:
        self.ends = self.now + self.run_s
        self._registers["STATUS"] = Status.BUSY

    def _run(self) -> None:
        self.runs += 1
        base, limit = (self._registers[name] * LIMIT_BYTES for name in ("BASE", "LIMIT"))
        self.machine = self._machine(base, min(limit, self.dram.size)) if base < limit else None
        super()._start()
        self._registers["CYCLES_LOW"] = 1000 + self.runs
        if self.machine is not None:
            self._streams = range(self._first_stream(), limit)

    def _machine(self, base: int, limit: int) -> NativeMachine:
        if (base, limit) not in self._machines:
            self._machines = {(base, limit): NativeMachine(self.build, self.dram[base:limit], base,
                                                           kernels=self.kernels, threads=1)}
        return self._machines[base, limit]

    def _covers(self, address: int, size: int) -> bool:
        return True  # the machine has BASE to LIMIT alone

    def _first_stream(self) -> int:
        start = self._registers["PROGRAM_LOW"]
        words = self.dram[start:start + self._registers["DESCRIPTORS"] * DESCRIPTOR_BYTES].tobytes()
        try:
            listed = [unpack(words[n:n + DESCRIPTOR_BYTES]) for n in range(0, len(words), DESCRIPTOR_BYTES)]
        except ValueError:
            return 0
        return min((f.address for f in listed if f.opcode == Opcode.STREAM), default=0)
