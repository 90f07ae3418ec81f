"""The `rtl` device: the generated Verilog under Verilator, behind the host's device interface."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache

import numpy as np

from host.devices.base import Buffer, Device, Progress
from host.devices.waves import Waves
from hw.boards.registry import board_of
from hw.emit import kept_verilog, with_top
from hw.memory.drain import DRAIN_CYCLES
from models.errors import DeviceError, OptionError
from models.machine.build import BuildParameters
from sim.verilated_core import CHUNK, VerilatedCore
from sim.verilator_env import verilator_environment

__all__ = ["BASE", "MAX_CYCLES_VARIABLE", "RtlDevice", "simulated_core"]

BASE = 0x4_0000_0000  # where the model of DRAM starts: above 4 GiB, so that a lost address bit shows
SETTLE_CYCLES = DRAIN_CYCLES + 100  # after a reset, before the first run: that would wait for the end of the drain
PAUSE = 1000  # cycles from one look at whether the core is at rest to the next
MAX_CYCLES_VARIABLE = "TRITLOOM_MAX_CYCLES"  # of one run; unset: a hundred million


def _cycle_limit() -> int:
    text = os.environ.get(MAX_CYCLES_VARIABLE, "100000000")
    if not text.isdecimal():
        raise OptionError(f"{MAX_CYCLES_VARIABLE} must be a number of cycles, got {text!r}")
    return int(text)


def simulated_core(build: BuildParameters, *, waves: Waves | None = None, **memory: object) -> VerilatedCore:
    """The core of a build, out of reset. memory: of `VerilatedCore`. `BuildError` where it cannot be made."""
    verilator_environment()  # a tool that is missing is told before the Verilog is written
    return VerilatedCore(_top(build), build.ports, board_of(build).ports.bits, waves=waves, clock_mhz=build.clock_mhz,
                         **memory)


@lru_cache(maxsize=1)
def _top(build: BuildParameters) -> str:
    return with_top(kept_verilog(build)[0], "top")


class RtlDevice(Device):
    """Simulates the accelerator cycle by cycle; a run's cycles are the fabric's, on the memory model's DRAM.

    waves: signals that go to a file, with cycles counted from the allocation of memory on, the drain after the reset
    aside. core: one of this build that is there already, whatever it does, with its memory, of which buffers are a part
    from byte `first` on: as a process finds a board that another has left. It stays when the device is closed.
    `BuildError` where Verilog or simulation cannot be built.
    """

    name = "rtl"
    patience = 50

    def __init__(self, build: BuildParameters, *, waves: Waves | None = None, core: VerilatedCore | None = None,
                 first: int = 0):
        self.build = build
        self.interval = CHUNK
        """Cycles of a run from one report of progress to the next."""
        self.limit = _cycle_limit()
        """Cycles of a run after which it is given up."""
        self._options: dict[str, object] = {}
        self._waves = None if waves is None else replace(waves, first=waves.first + SETTLE_CYCLES)
        self._shared, self._first = core is not None, first
        self.core = core or simulated_core(build, waves=self._waves)
        self._settled = not self._shared
        if not self._shared:
            self.configure()

    def _memory(self, size: int) -> Buffer:
        if self._shared:
            part = self.core.memory[self._first:self._first + size]
            if part.size < size:
                raise DeviceError(f"device {self.name}: {size} bytes from {self._first} on exceed the "
                                  f"{self.core.memory.size} of the simulated memory")
            part[:] = 0
            return Buffer(part, self.core.base + self._first)
        self.core.close()
        memory = np.zeros(size, np.uint8)
        self.core = simulated_core(self.build, waves=self._waves, memory=memory, base=BASE)
        self.core.configure(**self._options)
        self.core.run(SETTLE_CYCLES)
        return Buffer(memory, BASE)

    def configure(self, **options: object) -> None:
        """How the memory behaves from now on: stall_probability, seed .. of `VerilatedCore.configure`.

        Unless ``memory`` and ``outstanding`` say otherwise it is the model of the board's (`hw.boards`).
        """
        board = board_of(self.build)
        self._options = {"memory": board.memory.model, "clock_mhz": self.build.clock_mhz,
                         "outstanding": board.ports.bursts, **options}
        self.core.configure(**self._options)

    def write_register(self, offset: int, value: int) -> None:
        self.core.write_register(offset, value)

    def read_register(self, offset: int) -> int:
        return self.core.read_register(offset)

    def wait(self, progress: Progress | None = None) -> None:
        done = 0
        while not self.core.irq:
            if done >= self.limit:
                raise DeviceError(f"device {self.name}: no interrupt within {self.limit} cycles")
            done += self.core.run(min(self.interval, self.limit - done), until_irq=True)
            if progress:
                progress(done)
            if not self.core.irq:
                self.ended()
        if errors := self.core.protocol_errors():
            raise DeviceError(f"device {self.name}: the accelerator broke the AXI protocol: {errors[0]}")

    def _pause(self) -> None:
        self.core.run(PAUSE)

    def close(self) -> None:
        """End the simulation, or what runs on a core that is not this device's own."""
        if self._shared:
            self.stop()
        else:
            self.core.close()
