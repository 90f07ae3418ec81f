"""The `rtl` device: the generated Verilog under Verilator, behind the host's device interface."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np

from host.devices.base import Buffer, Device, Progress
from host.devices.waves import Waves
from hw.boards.registry import board_of
from hw.emit import kept_verilog, with_top
from hw.memory.drain import DRAIN_CYCLES
from models.errors import DeviceError, OptionError
from models.machine.build import BuildParameters
from sim.verilated_core import CoreError, VerilatedCore
from sim.verilator_env import verilator_environment

__all__ = ["MAX_CYCLES_VARIABLE", "RtlDevice"]

BASE = 0x4_0000_0000  # where the model of DRAM starts: above 4 GiB, so that a lost address bit shows
SETTLE_CYCLES = DRAIN_CYCLES + 100  # after a reset, before the first run: that would wait for the end of the drain
MAX_CYCLES_VARIABLE = "TRITLOOM_MAX_CYCLES"  # of one run; unset: a hundred million


def _cycle_limit() -> int:
    text = os.environ.get(MAX_CYCLES_VARIABLE, "100000000")
    if not text.isdecimal():
        raise OptionError(f"{MAX_CYCLES_VARIABLE} must be a number of cycles, got {text!r}")
    return int(text)


class RtlDevice(Device):
    """Simulates the accelerator cycle by cycle; a run's cycles are the fabric's, on the memory model's DRAM.

    waves: signals that go to a file, with cycles counted from the allocation of memory on, the drain after the reset
    aside.
    `BuildError` where Verilog or simulation cannot be built.
    """

    name = "rtl"

    def __init__(self, build: BuildParameters, *, waves: Waves | None = None):
        self.build = build
        verilator_environment()  # a tool that is missing is told before the Verilog is written
        self._limit = _cycle_limit()
        self._verilog = with_top(kept_verilog(build)[0], "top")
        self._bits = board_of(build).ports.bits
        self._options: dict[str, float | str] = {}
        self._waves = None if waves is None else replace(waves, first=waves.first + SETTLE_CYCLES)
        self.core = self._core()
        self.configure()

    def allocate(self, size: int) -> Buffer:
        self.core.close()
        memory = np.zeros(size, np.uint8)
        self.core = self._core(memory=memory, base=BASE)
        self.core.configure(**self._options)
        self.core.run(SETTLE_CYCLES)
        self.confine(BASE, size)
        return Buffer(memory, BASE)

    def _core(self, **memory: object) -> VerilatedCore:
        return VerilatedCore(self._verilog, self.build.ports, self._bits, waves=self._waves,
                             clock_mhz=self.build.clock_mhz, **memory)

    def configure(self, **options: float | str) -> None:
        """How the memory behaves from now on: stall_probability, seed .. of `VerilatedCore.configure`.

        Unless ``memory`` says otherwise it is the model of the board's (`hw.boards`).
        """
        board = {"memory": board_of(self.build).memory.model, "clock_mhz": self.build.clock_mhz}
        self._options = {**board, **options}
        self.core.configure(**self._options)

    def write_register(self, offset: int, value: int) -> None:
        self.core.write_register(offset, value)

    def read_register(self, offset: int) -> int:
        return self.core.read_register(offset)

    def wait(self, progress: Progress | None = None) -> None:
        try:
            self.core.run_until_irq(self._limit, progress)
        except CoreError as error:
            raise DeviceError(f"device rtl: {error}") from None
        if errors := self.core.protocol_errors():
            raise DeviceError(f"device rtl: the accelerator broke the AXI protocol: {errors[0]}")

    def close(self) -> None:
        self.core.close()
