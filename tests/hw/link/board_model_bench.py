"""SerialLink beside the host's model of a board, written from the same page: equal answers to any bytes."""

from __future__ import annotations

import random

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from hw.boards.registry import BUILDS
from models.machine.link import BEAT, FLAG, MOST_DATA, OPERATIONS, REGISTER_SPACE, Operation
from models.machine.registers import register
from sim.testbench import generator, parameters, start
from tests.host.link.board_model import BoardModel
from tests.hw.link.buses import MemoryBus, RegisterBus
from tests.hw.link.frames import framed, request
from tests.hw.link.line import Line

PATIENCE_S = 10.0  # of the model, in which all ends that it was asked for


class Core:
    """As `tests.host.link.modelled_core`, of registers that only keep what was written, as `RegisterBus`."""

    def __init__(self) -> None:
        self.values: dict[int, int] = {}
        self.writes: list[tuple[int, int]] = []
        self.irq, self.resets, self.now, self.ends = False, 0, 0.0, None

    def get(self, name: str) -> int:
        return self.read_register(register(name).offset)

    def read_register(self, offset: int) -> int:
        return self.values.get(offset, offset)

    def write_register(self, offset: int, value: int) -> None:
        self.values[offset] = value
        self.writes.append((offset, value))

    def advance(self, now: float) -> None:
        self.now = max(self.now, now)

    def wrote(self, address: int, size: int) -> None:
        pass

    def reset(self) -> None:
        self.resets += 1


def some_request(rng: random.Random, model: BoardModel) -> bytes:
    """Mostly a good one, near what is expected."""
    operation = rng.choice([*Operation, *Operation, *Operation, 9, 255])
    session = model.session if rng.random() < 0.93 else rng.choice((0, 1, 0x7E7D))
    near = rng.choice((0, 0, 0, 0, 0, -1, -2, -3, rng.randint(-70, 2)))
    sequence = (model.expected + near) % 256
    if operation == Operation.HELLO and rng.random() < 0.7:
        session, sequence = rng.choice((0, 1, 2, 0x7E7D)), rng.randrange(256)
    rules = OPERATIONS.get(operation, OPERATIONS[Operation.FILL_MEMORY])
    unit, space = rules.unit or 1, model.memory.size if rules.unit == BEAT else REGISTER_SPACE
    size = unit * rng.randint(1, 3 if rng.random() < 0.95 else MOST_DATA // unit)
    if operation == Operation.WAIT:
        size = rng.randint(0, 2)
    address = unit * rng.randint(0, (space - size) // unit)
    if rng.random() < 0.1:
        address, size = rng.choice(((address + 1, size), (space - unit, size), (address, size + 1), (address, 0),
                                    (address, min(size, 1 << 31)), (1 << 31, size)))
    length = min(size, MOST_DATA) if rules.data is None else rules.data
    if rng.random() < 0.04:
        length = rng.choice((length + 1, max(0, length - 1), 0))
    data = bytes(rng.choices((0x7D, 0x7E, 0, 0x5E, rng.randrange(256)), k=length))
    return request(sequence, operation, session, address, size, data)


def damaged(rng: random.Random, line: bytes) -> bytes:
    """Some bytes flipped, lost, doubled or new."""
    often, result = rng.choice((0.0, 0.0, 0.01, 0.05)), bytearray()
    for byte in line:
        way = rng.random() / often if often else 1.0
        result += bytes([] if way < 0.25 else [byte, byte] if way < 0.5 else [byte ^ 1 << rng.randrange(8)]
                        if way < 0.75 else [byte, rng.choice((FLAG, 0x7D, byte))] if way < 1 else [byte])
    return bytes(result)


@cocotb.test()
async def answers_are_those_of_the_model(dut):
    given, rng = parameters(), generator("requests")
    model = BoardModel(BUILDS["sim-tiny"], memory_bytes=given["memory_bytes"], clock_mhz=given["clock_mhz"])
    model.core = core = Core()
    dut.irq.value, dut.memory_ready.value = 0, 1
    memory = bytearray(model.memory.tobytes())
    line, buses = Line(dut, given["bit_cycles"]), (RegisterBus(dut, latency=2), MemoryBus(dut, memory, latency=2))
    resets = 0

    async def count_resets() -> None:
        nonlocal resets
        while True:
            await dut.reset_core.rising_edge
            resets += 1

    cocotb.start_soon(count_resets())
    await start(dut)
    expected, now, frames = bytearray(), 0.0, 0
    for n in range(given["chunks"]):
        # at most two requests: what becomes of a third is a question of time
        if rng.random() < 0.1:
            bodies = [some_request(rng, model)] * 2
        else:
            bodies = [some_request(rng, model) for _ in range(rng.randint(1, 2))]
        junk = damaged(rng, rng.randbytes(rng.randint(0, 20))) if rng.random() < 0.1 else b""
        if rng.random() < 0.02:
            junk = framed(bytes(rng.randint(MOST_DATA + 10, MOST_DATA + 20)))
        chunk = damaged(rng, junk + b"".join(map(framed, bodies))) + bytes([FLAG])
        core.irq = rng.random() < 0.3
        dut.irq.value = core.irq
        now += PATIENCE_S
        model.hear(chunk, now)
        now += PATIENCE_S
        model.pass_time(now)
        frames += len(model.answers)
        expected += b"".join(said.data for said in model.answers)
        model.answers.clear()
        await line.send(chunk)
        for _ in range(200):
            if len(line.received) >= len(expected):
                break
            await ClockCycles(dut.clk, int(20 * given["bit_cycles"] + (len(expected) - len(line.received)) * 10))
        await ClockCycles(dut.clk, 300)
        assert line.received == expected, (n, chunk.hex(), bytes(line.received[-60:]).hex(), expected[-60:].hex())
    await ClockCycles(dut.clk, 2000)
    assert line.received == expected and frames > given["chunks"] / 2
    np.testing.assert_array_equal(np.frombuffer(memory, np.uint8), model.memory)
    assert buses[0].writes == core.writes and len(core.writes) > given["chunks"] / 40
    assert resets == core.resets and model.damaged > given["chunks"] / 10 and model.dropped == 0
