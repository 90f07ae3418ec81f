"""Whole runs through the register bus: random programs, errors of every kind, and the run after them."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from hw.command import POSITIONS
from models.machine.descriptor import OPCODES, Engine, LoadTarget, Opcode, pack, unpack
from models.machine.registers import IDENTITY, SEQUENCES, VERSION, Status, position_register
from sim.packing import Packing
from sim.testbench import generator, parameters, start
from tests.hw.control.engines import Engines
from tests.hw.control.lite_master import LiteMaster
from tests.hw.control.programs import random_descriptor, random_program

EVENTS = ("axi_errors", "saturations", "invalid_trits", "zeros", "activations")
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
                return await self.bus.read("STATUS")
        raise AssertionError("no interrupt")

    async def run_well(self, program: list[bytes], **fields) -> None:
        """A run that ends well, everything in order, acknowledged."""
        await self.begin(program, **fields)
        assert await self.end() == Status.DONE
        for engine in Engine:
            mine = [d for d in program if unpack(d).engine == engine]
            assert self.engines.started[engine] == mine, engine
            assert await self.bus.read(f"BUSY_{engine.name}") == self.engines.busy[engine]
        await self.bus.write("CONTROL", 2)
        assert await self.bus.read("STATUS") == 0
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
        assert await bench.bus.read("STATUS") == Status.BUSY
        assert await bench.end() == Status.DONE
        for name, value in {**since_reset, **of_run}.items():
            assert await bench.bus.read(name.upper()) == value, name
        cycles = await bench.bus.read("CYCLES_LOW")
        assert sum(bench.engines.busy.values()) < cycles < sum(bench.engines.busy.values()) + 60
        assert await bench.bus.read("CYCLES_LOW") == cycles
        assert await bench.bus.read("CYCLES_HIGH") == 0
    # Without an acknowledge so far: a start clears DONE.
    await bench.run_well([], positions=(1,))


@cocotb.test()
async def starts_that_do_not_count(dut):
    bench = Bench(dut, slowest=400)
    await start(dut)
    program = [random_descriptor(bench.random, Opcode.STREAM) for _ in range(3)]
    await bench.begin(program)
    while not bench.engines.started[Engine.FETCH]:
        await RisingEdge(dut.clk)
    resets = bench.engines.resets
    await bench.bus.write("CONTROL", 1)
    assert await bench.end() == Status.DONE
    assert bench.engines.started[Engine.FETCH] == program
    assert bench.engines.resets == resets
    await bench.begin([bytes(63) + b"\xff", b"\xff" * 64])
    assert await bench.end() == _error(Status.ERROR_DESCRIPTOR)
    await bench.bus.write("CONTROL", 1)  # refused: the error is not acknowledged
    await ClockCycles(dut.clk, 40)
    assert await bench.bus.read("STATUS") == _error(Status.ERROR_DESCRIPTOR)
    await bench.begin(program, control=3)
    assert await bench.end() == Status.DONE


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
        await bench.event("axi_errors", 2)
        await RisingEdge(dut.clk)
        assert dut.irq.value and dut.reset_engines.value
        await ClockCycles(dut.clk, drain)
        assert dut.reset_engines.value
        await bench.event("axi_errors", 1)  # a late one is counted and changes nothing
        assert await bench.bus.read("STATUS") == _error(Status.ERROR_AXI)
        dut.memory_quiet.value = 1
        await ClockCycles(dut.clk, 3)
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
    assert await bench.bus.read("STATUS") == Status.BUSY
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
    assert await bench.bus.read("STATUS") == Status.BUSY
