"""Loader: addresses by position, words of every target, sizes down to nothing."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from hw.command import POSITIONS
from hw.memory.shapes import LOAD_WORD, READ_REQUEST
from models.machine.descriptor import LoadTarget, Opcode, pack
from models.machine.registers import SEQUENCES
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start
from tests.hw.memory.axi_memory import Contents
from tests.hw.memory.loads import WORD_BYTES, load_words


async def _memory(dut, contents: Contents, requests: list[dict], stall: float) -> None:
    """Answer read requests with their beats; log them."""
    asked, beats = StreamSink(dut, "read", READ_REQUEST, stall=stall), StreamSource(dut, "beats", stall=stall)
    while True:
        for request in asked.receive_nowait():
            requests.append(request)
            beats.send_nowait(*(contents.beat(request["address"] + i) for i in range(0, request["bytes"], 16)))
        await RisingEdge(dut.clk)


async def _count(dut, counts: list[int]) -> None:
    while True:
        await RisingEdge(dut.clk)
        counts[0] += int(dut.retired.value)
        assert not (dut.retired.value and dut.o_load__valid.value), "retired before its last word was taken"


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5], position=[0, 1, 65535])
async def words_of_all_targets(dut, stall, position):
    """Loads of one sequence after another, the positions of the others beside it."""
    random, contents, requests, retired = generator("loads"), Contents(), [], [0]
    source, sink = StreamSource(dut, "command", stall=stall), StreamSink(dut, "o_load", LOAD_WORD, stall=stall)
    positions = [random.randrange(1 << 16) for _ in range(SEQUENCES - 1)]
    positions.insert(random.randrange(SEQUENCES), position)
    dut.positions.value = Packing.of(POSITIONS).pack(positions)
    start_soon(_memory(dut, contents, requests, stall))
    start_soon(_count(dut, retired))
    await start(dut)
    expected, addresses, loads = [], [], 0
    for target in LoadTarget:
        width = WORD_BYTES[target]
        for size in (0, 1, width, 16, 16 + width, 64, 16 * random.randrange(1, 30) + random.randrange(16)):
            address, stride = random.randrange(1 << 30) * 16, random.randrange(1 << 20) * 16
            offset = random.randrange(60_000)
            row = random.randrange(256)
            fields = dict(address=address, target=target, address_stride=stride, bytes=size, offset=offset, row=row)
            sequence = random.choice([positions.index(position), random.randrange(SEQUENCES)])
            source.send_nowait(int.from_bytes(pack(Opcode.LOAD, sequence=sequence, **fields), "little"))
            start_address = (address + positions[sequence] * stride) % (1 << 40)
            expected += load_words(target, offset, contents.read(start_address, size), row)
            addresses += [start_address] * bool(size // width)
            loads += 1
    assert await sink.receive(len(expected)) == expected
    while retired[0] < loads:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 30)
    assert retired[0] == loads and not sink.receive_nowait()
    assert [request["address"] for request in requests] == addresses


@cocotb.test()
async def a_word_every_so_many_cycles(dut):
    contents, requests = Contents(), []
    source, sink = StreamSource(dut, "command"), StreamSink(dut, "o_load", LOAD_WORD)
    dut.positions.value = 0
    start_soon(_memory(dut, contents, requests, 0.0))
    await start(dut)
    for target, width in WORD_BYTES.items():
        fields = dict(address=0, target=target, address_stride=0, bytes=400 * width, offset=0, row=0)
        source.send_nowait(int.from_bytes(pack(Opcode.LOAD, sequence=0, **fields), "little"))
        await sink.receive(400)
        assert sink.cycles[-1] - sink.cycles[-400] == 399 * parameters()["cycles"]
