"""The `rtl` device: the generated Verilog under Verilator, behind the host's device interface."""

from __future__ import annotations

import os

from host.devices.base import Buffer, Device, DeviceError, Progress
from hw.build import emit_verilog
from models.machine.build import BuildParameters
from sim.verilated_core import VerilatedCore

__all__ = ["MAX_CYCLES_VARIABLE", "RtlDevice"]

BASE = 0x4_0000_0000  # where the model of DRAM starts: above 4 GiB, so that a lost address bit shows
MAX_CYCLES_VARIABLE = "TRITLOOM_MAX_CYCLES"
STEP = 200_000  # cycles between calls of `progress`


class RtlDevice(Device):
    """Simulates the accelerator cycle by cycle; a run's cycles are the fabric's.

    Latency and random stalls of the memory model are set with `configure`.
    """

    name = "rtl"

    def __init__(self, build: BuildParameters):
        self.build, self.rows_max = build, build.rows
        self.core = VerilatedCore(emit_verilog(build), build.ports)
        self._limit = int(os.environ.get(MAX_CYCLES_VARIABLE, str(1 << 40)))

    def allocate(self, size: int) -> Buffer:
        return Buffer(self.core.allocate(size, BASE), BASE)

    def configure(self, *, latency: int = 20, stall_probability: float = 0.0, seed: int = 1) -> None:
        """Memory latency in cycles, probability of a stall on every channel and cycle, seed of the stalls."""
        self.core.configure(latency=latency, stall_probability=stall_probability, seed=seed)

    def write_register(self, offset: int, value: int) -> None:
        self.core.write_register(offset, value)

    def read_register(self, offset: int) -> int:
        return self.core.read_register(offset)

    def wait(self, progress: Progress | None = None) -> None:
        cycles = 0
        while not self.core.interrupted:
            cycles += self.core.run_until_irq(STEP)
            if progress:
                progress(cycles)
            if cycles >= self._limit:
                raise DeviceError(f"device rtl ran {cycles} cycles without an end")
        if errors := self.core.protocol_errors():
            raise DeviceError(f"the accelerator broke the AXI protocol: {errors[0]}")
