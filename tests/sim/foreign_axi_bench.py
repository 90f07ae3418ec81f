"""The core before memories and a register master of cocotbext-axi, a model of AXI that is none of ours."""

from __future__ import annotations

from itertools import repeat

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

from hw.memory.drain import DRAIN_CYCLES
from models.machine.registers import LIMIT_BYTES, Control, Status, position_register, register
from sim.testbench import CLOCK_STEPS, generator, parameters, start

WORD = 4
MOST_CYCLES = 200_000  # of a run


class Fabric:
    """The core with one memory behind all ports, each channel pausing at random."""

    def __init__(self, dut, memory: bytearray, *, ports: int, pause: float) -> None:
        self.dut = dut
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
        self.memories = [AxiRam(AxiBus.from_prefix(dut, f"m{port}_axi"), dut.clk, dut.rst, mem=memory,
                                size=len(memory)) for port in range(ports)]
        if pause:
            self._pause(pause)

    def _pause(self, pause: float) -> None:
        lite = self.registers
        channels = [lite.write_if.aw_channel, lite.write_if.w_channel, lite.write_if.b_channel,
                    lite.read_if.ar_channel, lite.read_if.r_channel]
        for ram in self.memories:
            channels += [ram.write_if.aw_channel, ram.write_if.w_channel, ram.write_if.b_channel,
                         ram.read_if.ar_channel, ram.read_if.r_channel]
        for n, channel in enumerate(channels):
            random = generator(f"pause {n}")
            channel.set_pause_generator(random.random() < pause for _ in repeat(None))

    async def set(self, name: str, value: int) -> None:
        """Write a register."""
        await self.registers.write(register(name).offset, value.to_bytes(WORD, "little"))

    async def get(self, name: str) -> int:
        """Read a register."""
        return int.from_bytes((await self.registers.read(register(name).offset, WORD)).data, "little")

    async def run(self, address: int, count: int, positions: list[int]) -> None:
        """As `host.devices.base.Device.run`."""
        await self.set("PROGRAM_LOW", address & 0xFFFF_FFFF)
        await self.set("PROGRAM_HIGH", address >> 32)
        await self.set("DESCRIPTORS", count)
        for sequence, position in enumerate(positions):
            await self.set(position_register(sequence), position)
        await self.set("CONTROL", Control.START)
        if not self.dut.irq.value:
            await with_timeout(RisingEdge(self.dut.irq), MOST_CYCLES * CLOCK_STEPS, "step")
        status = await self.get("STATUS")
        assert status & ~Status.QUIET == Status.DONE, hex(status)
        await self.set("CONTROL", Control.ACKNOWLEDGE)


@cocotb.test()
async def each_run_leaves_the_emulators_memory(dut):
    given = parameters()
    runs = np.load(given["runs"])
    size = runs["before_0"].size
    memory = bytearray(1 << (size - 1).bit_length())  # AxiRam takes addresses modulo its size
    assert given["base"] % len(memory) == 0
    fabric = Fabric(dut, memory, ports=given["ports"], pause=given["pause"])
    await start(dut)
    await ClockCycles(dut.clk, 2 * DRAIN_CYCLES)
    base = given["base"]
    await fabric.set("BASE", base // LIMIT_BYTES)
    await fabric.set("LIMIT", -(-(base + size) // LIMIT_BYTES))
    for n, run in enumerate(given["program"]):
        memory[:size] = runs[f"before_{n}"].tobytes()
        await fabric.run(run["address"], run["count"], run["positions"])
        expected, found = runs[f"after_{n}"], np.frombuffer(bytes(memory[:size]), np.uint8)
        wrong = np.flatnonzero(expected != found)
        assert not wrong.size, f"run {n}: {wrong.size} bytes differ, the first at {wrong[0]:#x}"
        assert not any(memory[size:]), f"run {n} wrote beyond its memory"
        for name, value in run["counters"].items():
            assert await fabric.get(name) == value, name
