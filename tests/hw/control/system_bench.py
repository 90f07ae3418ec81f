"""Whole runs through the register bus: random programs, errors of every kind, and the run after them."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from hw.command import POSITIONS
from hw.control.run_control import RESET_CYCLES, SETTLE_CYCLES
from hw.memory.shapes import MEMORY_FAULT
from models.machine.descriptor import OPCODES, Engine, LoadTarget, Opcode, pack, unpack
from models.machine.registers import (
    IDENTITY,
    SEQUENCES,
    VERSION,
    WATCHDOG_CYCLES,
    Client,
    Control,
    Fault,
    Status,
    position_register,
)
from sim.packing import Packing
from sim.testbench import generator, parameters, start
from tests.hw.control.engines import Engines
from tests.hw.control.lite_master import LiteMaster
from tests.hw.control.programs import random_descriptor, random_program

EVENTS = ("axi_errors", "saturations", "invalid_trits", "zeros", "activations", "faulty", "fault", "port_beats",
          "port_busy")
FAULT = Packing.of(MEMORY_FAULT)
PROGRAM = 0xAB_1234_5640  # uses both address registers


def _error(code: int) -> int:
    return Status.DONE | Status.ERROR | code << 8


class Bench:
    """The control system with its bus and its engines."""

    def __init__(self, dut, *, stall: float = 0.0, slowest: int = 12) -> None:
        self.dut, self.random = dut, generator("bench")
        self.bus = LiteMaster(dut, stall=stall)
        dut.memory_quiet.value = 1
        for name in EVENTS:
            getattr(dut, name).value = 0
        self.engines = Engines(dut, stall=stall, slowest=slowest)

    async def begin(self, program: list[bytes], *, positions: tuple[int, ...] = (0,), control: int = 1) -> None:
        """Write the registers and start."""
        self.engines.programs[PROGRAM] = program
        self.engines.started = {engine: [] for engine in Engine}
        self.engines.busy = dict.fromkeys(Engine, 0)
        await self.bus.write("PROGRAM_LOW", PROGRAM & 0xFFFFFFFF)
        await self.bus.write("PROGRAM_HIGH", PROGRAM >> 32)
        await self.bus.write("DESCRIPTORS", len(program))
        for sequence, position in enumerate(positions):
            await self.bus.write(position_register(sequence), position)
        await self.bus.write("CONTROL", control)

    async def end(self, patience: int = 20_000) -> int:
        """STATUS once the interrupt has come."""
        for _ in range(patience):
            await RisingEdge(self.dut.clk)
            if self.dut.irq.value:
                return await self.status()
        raise AssertionError("no interrupt")

    async def status(self) -> int:
        """STATUS without QUIET."""
        return await self.bus.read("STATUS") & ~Status.QUIET

    async def fail_access(self, **fault: int) -> None:
        """Show a fault of the memory system for a cycle."""
        self.dut.fault.value = FAULT.pack({"client": 0, "port": 0, "write": 0, "response": 0, "address": 0, **fault})
        await self.event("faulty", 1)

    async def fault(self) -> tuple[Fault, int, int]:
        """The FAULT registers: the access, its address, the descriptor."""
        low, high = await self.bus.read("FAULT_ADDRESS_LOW"), await self.bus.read("FAULT_ADDRESS_HIGH")
        return Fault.of(await self.bus.read("FAULT")), high << 32 | low, await self.bus.read("FAULT_DESCRIPTOR")

    async def run_well(self, program: list[bytes], **fields) -> None:
        """A run that ends well, everything in order, acknowledged."""
        await self.begin(program, **fields)
        assert await self.end() == Status.DONE
        for engine in Engine:
            mine = [d for d in program if unpack(d).engine == engine]
            assert self.engines.started[engine] == mine, engine
            assert await self.bus.read(f"BUSY_{engine.name}") == self.engines.busy[engine]
        await self.bus.write("CONTROL", 2)
        assert await self.status() == 0
        assert not self.dut.irq.value

    async def event(self, name: str, value: int, cycles: int = 1) -> None:
        """Show an event count for some cycles."""
        getattr(self.dut, name).value = value
        await ClockCycles(self.dut.clk, cycles)
        getattr(self.dut, name).value = 0


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4], slowest=[1, 40])
async def random_programs_back_to_back(dut, stall, slowest):
    bench = Bench(dut, stall=stall, slowest=slowest)
    await start(dut)
    for count in (1, 2, 30, 120, 7):
        positions = tuple(bench.random.randrange(1 << 16) for _ in range(SEQUENCES))
        await bench.run_well(random_program(bench.random, count), positions=positions)
        assert dut.positions.value == Packing.of(POSITIONS).pack(positions)


@cocotb.test()
async def identity_and_counters(dut):
    bench = Bench(dut, slowest=300)
    await start(dut)
    assert await bench.bus.read("ID") == IDENTITY
    assert await bench.bus.read("VERSION") == VERSION
    assert await bench.bus.read("BUILD") == parameters()["build_id"]
    since_reset = dict.fromkeys(("saturations", "invalid_trits"), 0)
    for _ in range(3):
        await bench.begin([random_descriptor(bench.random, Opcode.MATMUL)] * 2)
        while not any(bench.engines.started.values()):
            await RisingEdge(dut.clk)
        of_run = {name: bench.random.randrange(1, 16) * 3 for name in ("zeros", "activations")}
        for name in since_reset:
            more = bench.random.randrange(1, 16)
            since_reset[name] += 2 * more
            await bench.event(name, more, 2)
        for name, value in of_run.items():
            await bench.event(name, value // 3, 3)
        # POSITION written amid a run belongs to the next one.
        await bench.bus.write("POSITION", 77)
        assert dut.positions.value == 0
        assert await bench.status() == Status.BUSY
        assert await bench.end() == Status.DONE
        for name, value in {**since_reset, **of_run}.items():
            assert await bench.bus.read(name.upper()) == value, name
        cycles = await bench.bus.read("CYCLES_LOW")
        least = sum(bench.engines.busy.values()) + RESET_CYCLES + SETTLE_CYCLES
        assert least < cycles < least + 60
        assert await bench.bus.read("CYCLES_LOW") == cycles
        assert await bench.bus.read("CYCLES_HIGH") == 0
    # Without an acknowledge so far: a start clears DONE.
    await bench.run_well([], positions=(1,))
    assert all([await bench.bus.read(name.upper()) for name in since_reset])
    await bench.event("axi_errors", 1, 2)
    await bench.bus.write("CONTROL", Control.CLEAR)
    for name in (*since_reset, "axi_errors"):
        assert await bench.bus.read(name.upper()) == 0


@cocotb.test()
async def ports_are_counted_by_run(dut):
    bench = Bench(dut, slowest=200)
    await start(dut)
    for _ in range(2):
        await bench.begin([random_descriptor(bench.random, Opcode.MATMUL)])
        while not any(bench.engines.started.values()):
            await RisingEdge(dut.clk)
        await bench.event("port_beats", 1, 5)
        await bench.event("port_busy", 1, 7)
        assert await bench.end() == Status.DONE
        assert [await bench.bus.read(f"PORT_{what}_{p}") for p in range(4) for what in ("BEATS", "CYCLES")] == [
            5, 7, 0, 0, 0, 0, 0, 0]


@cocotb.test()
async def starts_that_do_not_count(dut):
    bench = Bench(dut, slowest=400)
    await start(dut)
    program = [random_descriptor(bench.random, Opcode.STREAM) for _ in range(3)]
    await bench.begin(program)
    while not bench.engines.started[Engine.FETCH]:
        await RisingEdge(dut.clk)
    await bench.bus.write("CONTROL", Control.START)  # a run is under way: that ends
    assert await bench.end() == _error(Status.ERROR_BUSY)
    await ClockCycles(dut.clk, 600)
    assert len(bench.engines.started[Engine.FETCH]) == 1
    await bench.begin(program, control=Control.START)  # the error is not acknowledged
    await ClockCycles(dut.clk, 600)
    assert await bench.bus.read("STATUS") == _error(Status.ERROR_BUSY) | Status.QUIET
    assert not any(bench.engines.started.values())
    await bench.bus.write("CONTROL", Control.START | Control.ACKNOWLEDGE)
    assert await bench.end() == Status.DONE
    await bench.bus.write("CONTROL", Control.START | Control.ABORT)
    await bench.bus.write("CONTROL", Control.ABORT)  # of nothing
    await ClockCycles(dut.clk, 40)
    assert await bench.bus.read("STATUS") == Status.DONE | Status.QUIET
    await bench.run_well(program)


@cocotb.test()
async def aborts(dut):
    """At any time of a run, twice as well; engines are in reset until the memory is quiet; the next run is right."""
    bench = Bench(dut, stall=0.2, slowest=20)
    await start(dut)
    program = random_program(bench.random, 40)
    for wait in (0, 5, 15, 20, 23, 24, 25, 40, 200, 400):
        await bench.begin(program)
        await ClockCycles(dut.clk, wait)
        dut.memory_quiet.value = 0
        for _ in range(2):
            await bench.bus.write("CONTROL", Control.ABORT)
        assert await bench.bus.read("STATUS") == _error(Status.ERROR_ABORTED)
        assert dut.reset_engines.value
        dut.memory_quiet.value = 1
        await ClockCycles(dut.clk, RESET_CYCLES + 2)
        assert await bench.bus.read("STATUS") == _error(Status.ERROR_ABORTED) | Status.QUIET
        assert (await bench.fault())[:2] == (Fault(Client.NONE, 0, 0, 0), 0)
        await bench.bus.write("CONTROL", Control.ACKNOWLEDGE)
        await bench.run_well(program)


@cocotb.test()
async def faults_are_named(dut):
    bench = Bench(dut, stall=0.1, slowest=30)
    await start(dut)
    good = random_program(bench.random, 9)
    for fault, code in ((dict(client=Client.CACHE, port=2, response=2, address=5), Status.ERROR_AXI),
                        (dict(client=Client.HEAD, write=1, response=3), Status.ERROR_AXI),
                        (dict(client=Client.VECTOR, write=1, address=0xAB_CDEF_0120), Status.ERROR_OUTSIDE),
                        (dict(client=Client.STREAM, port=3, address=0x100), Status.ERROR_OUTSIDE)):
        await bench.begin(random_program(bench.random, 60))
        await ClockCycles(dut.clk, 100)
        await bench.fail_access(**fault)
        assert await bench.end() == _error(code)
        await bench.fail_access(client=Client.LOAD, response=2)  # a late one changes nothing
        address = fault.get("address", 0) if code == Status.ERROR_OUTSIDE else 0
        told = Fault(fault["client"], fault.get("port", 0), fault.get("write", 0), fault.get("response", 0))
        for _ in range(2):  # and an acknowledgement forgets nothing
            assert (await bench.fault())[:2] == (told, address)
            await bench.bus.write("CONTROL", Control.ACKNOWLEDGE)
        await bench.run_well(good)
        assert await bench.fault() == (Fault(Client.NONE, 0, 0, 0), 0, len(good) - 1)
    for index in (0, 3, 8):
        await bench.begin([*good[:index], b"\xff" * 64, *good[index:]])
        assert await bench.end() == _error(Status.ERROR_DESCRIPTOR)
        assert await bench.fault() == (Fault(Client.NONE, 0, 0, 0), 0, index)
        await bench.bus.write("CONTROL", Control.ACKNOWLEDGE)


@cocotb.test()
async def limits_reach_the_memory(dut):
    bench = Bench(dut)
    await start(dut)
    assert (dut.base.value, dut.limit.value) == (0, 0)
    assert await bench.bus.read("WATCHDOG") == WATCHDOG_CYCLES
    await bench.bus.write("BASE", 0x89ABCDEF)
    await bench.bus.write("LIMIT", 0xFEDCBA98)
    assert (dut.base.value, dut.limit.value) == (0x89ABCDEF, 0xFEDCBA98)


@cocotb.test()
async def bad_descriptors(dut):
    bench = Bench(dut, stall=0.2, slowest=5)
    await start(dut)
    good = random_program(bench.random, 5)

    def changed(opcode: Opcode, offset: int, width: int, value: int) -> bytes:
        word = int.from_bytes(random_descriptor(bench.random, opcode), "little")
        word = word & ~((1 << width) - 1 << offset) | value << offset
        return word.to_bytes(64, "little")

    def field(opcode: Opcode, name: str) -> int:
        return next(f.offset for f in OPCODES[opcode].fields if f.name == name)

    bad = [changed(Opcode.MATMUL, 4, 4, opcode) for opcode in range(len(Opcode), 16)]
    bad += [changed(opcode, 0, 4, engine) for opcode in Opcode for engine in range(16)
            if engine != OPCODES[opcode].engine]
    bad += [changed(Opcode.STREAM, field(Opcode.STREAM, "address") + bit, 1, 1) for bit in range(8)]
    bad += [changed(Opcode.STREAM, field(Opcode.STREAM, "beats") + bit, 1, 1) for bit in range(4)]
    bad += [changed(opcode, field(opcode, name) + bit, 1, 1) for opcode, name in (
        (Opcode.LOAD, "address"), (Opcode.LOAD, "address_stride"), (Opcode.STORE, "address"), (Opcode.STORE, "steps"))
        for bit in range(4)]
    bad += [changed(Opcode.LOAD, field(Opcode.LOAD, "target"), 4, target) for target in range(len(LoadTarget), 16)]
    listed = dict(address=0, beats=16, padding=0, listed=1, row=0)
    bad += [pack(Opcode.STREAM, **listed, head=0, row_beats=1), pack(Opcode.STREAM, **listed, head=1, row_beats=0)]
    bad.append(pack(Opcode.LOGITS, rows=1, first_row=0, count=4, vocab=9, k=4, write_logits=1, listed=1, logits=0,
                    top=0, grouped=0))
    good += [pack(Opcode.STREAM, **listed, head=1, row_beats=1), random_descriptor(bench.random, Opcode.SELECT)]
    for descriptor in bad:
        await bench.begin([*good, descriptor, *good])
        assert await bench.end() == _error(Status.ERROR_DESCRIPTOR), descriptor.hex()
        assert sum(map(len, bench.engines.started.values())) <= len(good)
        await bench.bus.write("CONTROL", 2)
    await bench.run_well(good)
    for offset, count in ((1, len(good)), (32, len(good)), (0, 1 << 26), (0, (1 << 32) - 1)):
        await bench.begin(good, control=0)
        await bench.bus.write("PROGRAM_LOW", (PROGRAM & 0xFFFFFFFF) + offset)
        await bench.bus.write("DESCRIPTORS", count)
        await bench.bus.write("CONTROL", 1)
        assert await bench.end() == _error(Status.ERROR_DESCRIPTOR)
        await bench.bus.write("CONTROL", 2)
    await bench.run_well(good)


@cocotb.test()
async def memory_errors(dut):
    """An error response ends the run at once; engines stay in reset until the memory is quiet."""
    bench = Bench(dut, slowest=50)
    await start(dut)
    for drain in (0, 1, 37):
        await bench.begin(random_program(bench.random, 60))
        await ClockCycles(dut.clk, bench.random.randrange(40, 200))
        dut.memory_quiet.value = 0
        dut.fault.value = FAULT.pack({"client": 1, "port": 0, "write": 0, "response": 2, "address": 0})
        dut.axi_errors.value = 2
        await bench.event("faulty", 1)
        dut.axi_errors.value = 0
        await RisingEdge(dut.clk)
        assert dut.irq.value and dut.reset_engines.value
        await ClockCycles(dut.clk, drain)
        assert dut.reset_engines.value
        await bench.event("axi_errors", 1)  # a late one is counted and changes nothing
        assert await bench.bus.read("STATUS") == _error(Status.ERROR_AXI)
        dut.memory_quiet.value = 1
        await ClockCycles(dut.clk, RESET_CYCLES + 3)
        assert not dut.reset_engines.value
        await bench.bus.write("CONTROL", 2)
        await bench.run_well(random_program(bench.random, 40))
    assert await bench.bus.read("AXI_ERRORS") == 9


@cocotb.test()
async def a_run_ends_when_the_memory_is_quiet(dut):
    bench = Bench(dut)
    await start(dut)
    await bench.begin([random_descriptor(bench.random, Opcode.LOAD)])
    while not bench.engines.started[Engine.LOAD]:
        await RisingEdge(dut.clk)
    dut.memory_quiet.value = 0
    await ClockCycles(dut.clk, 100)
    assert await bench.status() == Status.BUSY
    dut.memory_quiet.value = 1
    assert await bench.end() == Status.DONE


@cocotb.test()
async def watchdog(dut):
    bench = Bench(dut, slowest=20)
    await start(dut)
    limit = 150
    await bench.bus.write("WATCHDOG", limit)
    program = random_program(bench.random, 200)
    await bench.run_well(program)  # longer than the limit, but never without progress
    assert await bench.bus.read("CYCLES_LOW") > 3 * limit
    for stuck in Engine:
        opcode = next(o for o in Opcode if OPCODES[o].engine == stuck)
        bench.engines.stuck = {stuck}
        await bench.begin([*program[:3], random_descriptor(bench.random, opcode), *program[:3]])
        assert await bench.end() == _error(Status.ERROR_WATCHDOG)
        await bench.bus.write("CONTROL", 2)
        bench.engines.stuck = set()
        await bench.run_well(program)
    # A semaphore that nobody gives.
    await bench.begin([random_descriptor(bench.random, Opcode.NORM, wait=1 << 9)])
    assert await bench.end() == _error(Status.ERROR_WATCHDOG)
    # A memory that never answers: the next run does not start, but it ends too.
    dut.memory_quiet.value = 0
    await bench.begin(program, control=3)
    assert await bench.end() == _error(Status.ERROR_WATCHDOG)
    assert not any(bench.engines.started.values())
    dut.memory_quiet.value = 1
    await bench.bus.write("CONTROL", 2)
    await bench.run_well(program)
    await bench.bus.write("WATCHDOG", 0)
    bench.engines.stuck = {Engine.HEAD}
    await bench.begin([random_descriptor(bench.random, Opcode.LOGITS)])
    await ClockCycles(dut.clk, 10 * limit)
    assert await bench.status() == Status.BUSY
