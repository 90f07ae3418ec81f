"""Registers: every register of the map as its access says, strobes, and addresses without a register."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from models.machine.registers import REGISTERS
from sim.testbench import generator, start
from tests.hw.control.lite_master import LiteMaster


def _names(access: str) -> list[str]:
    return [r.name for r in REGISTERS if r.access == access]


def _port(dut, name: str):
    return getattr(dut, name.lower())


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def accesses(dut, stall):
    random, bus = generator("values"), LiteMaster(dut, stall=stall)
    for name in _names("ro"):
        _port(dut, name).value = 0
    await start(dut)
    values = {r.name: r.reset for r in REGISTERS if r.access == "rw"}
    for _ in range(300):
        register = random.choice(REGISTERS)
        value, strobes = random.getrandbits(32), random.choice([15, random.randrange(16)])
        if register.access == "ro":
            _port(dut, register.name).value = value
            await RisingEdge(dut.clk)
            assert await bus.read(register.name) == value
            await bus.write(register.name, ~value & 0xFFFFFFFF)
            assert await bus.read(register.name) == value
        elif register.access == "rw":
            await bus.write_offset(register.offset, value, strobes)
            mask = sum(255 << 8 * i for i in range(4) if strobes >> i & 1)
            values[register.name] = values[register.name] & ~mask | value & mask
        for name, expected in values.items():
            assert int(_port(dut, name).value) == expected
        assert await bus.read(register.name) == (
            {"ro": value, "rw": values.get(register.name), "wp": 0}[register.access])


@cocotb.test()
async def pulses_last_one_cycle(dut):
    bus, seen = LiteMaster(dut, stall=0.3), []

    async def watch():
        while True:
            await RisingEdge(dut.clk)
            if int(dut.control.value):
                seen.append(int(dut.control.value))

    await start(dut)
    start_soon(watch())
    for value in (1, 2, 3, 0x80000000):
        await bus.write("CONTROL", value)
    await bus.write_offset(0x0C, 0x0201, strobes=2)
    await ClockCycles(dut.clk, 5)
    assert seen == [1, 2, 3, 0x80000000, 0x0200]


@cocotb.test()
async def addresses_without_a_register(dut):
    bus = LiteMaster(dut)
    for name in _names("ro"):
        _port(dut, name).value = 0xFFFFFFFF
    await start(dut)
    used = {r.offset for r in REGISTERS}
    for offset in (0x74, 0x100, 0x414, 0x800, 0xFFC):
        assert offset not in used
        await bus.write_offset(offset, 0x1234)
        assert await bus.read_offset(offset) == 0
    assert all(int(_port(dut, r.name).value) == r.reset for r in REGISTERS if r.access == "rw")


@cocotb.test()
async def reads_and_writes_at_once(dut):
    random, bus = generator("both"), LiteMaster(dut, stall=0.4)
    await start(dut)
    _port(dut, "STATUS").value = 0xA5A55A5A
    for _ in range(40):
        value = random.getrandbits(32)
        write, read = start_soon(bus.write("WATCHDOG", value)), start_soon(bus.read("STATUS"))
        assert await read == 0xA5A55A5A
        await write
        assert await bus.read("WATCHDOG") == value
