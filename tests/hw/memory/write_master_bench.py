"""Write master: several clients' bursts, responses in any order, idle flags, errors and the stop."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from hw.memory.shapes import WRITE_BEAT
from models.machine.build import BURST_BEATS
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start
from tests.hw.memory.axi_memory import AxiMemory, Contents

_BLOCK = 16 * BURST_BEATS


def _bursts(random, client: int, count: int) -> list[list[dict[str, int]]]:
    """Bursts of a client, in a region of its own, some places twice in a row. Only a first beat's address counts."""
    found = []
    for _ in range(count):
        first = random.randrange(BURST_BEATS)
        length = random.choice([1, random.randint(1, BURST_BEATS - first), BURST_BEATS - first])
        start = client << 36 | random.randrange(count // 4) * _BLOCK | first * 16
        found.append([{"address": random.getrandbits(40) if n else start, "data": random.getrandbits(128),
                       "strobe": random.choice([0xFFFF, 0, random.getrandbits(16)]), "left": length - 1 - n}
                      for n in range(length)])
    return found


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4], latency=[(1, 1), (1, 50)])
async def bursts_of_all_clients(dut, stall, latency):
    contents, expected, random = Contents(), Contents(), generator("beats")
    clients = range(parameters()["clients"])
    memory = AxiMemory(dut, "axi", contents, stall=stall, latency=latency, outstanding=parameters()["outstanding"])
    sources = [StreamSource(dut, f"i__{c}", WRITE_BEAT, stall=stall) for c in clients]
    dut.stop.value = 0
    await start(dut)
    assert dut.idle.value == (1 << len(clients)) - 1
    work = [_bursts(random, client, 40) for client in clients]
    for source, bursts in zip(sources, work, strict=True):
        source.send_nowait(*(beat for burst in bursts for beat in burst))
    for client, (source, bursts) in enumerate(zip(sources, work, strict=True)):
        await source.drain()
        await RisingEdge(dut.clk)
        while not int(dut.idle.value) >> client & 1:
            await RisingEdge(dut.clk)
        places = [(burst[0]["address"] + 16 * n, beat) for burst in bursts for n, beat in enumerate(burst)]
        for address, beat in places:
            expected.store(address, beat["data"], beat["strobe"])
        for address, _ in places:
            assert contents.beat(address) == expected.beat(address)
        assert [burst[1:] for burst in memory.write_bursts if burst[0] == client] == [
            (burst[0]["address"], len(burst)) for burst in bursts]
    await ClockCycles(dut.clk, 2)
    assert dut.quiet.value


@cocotb.test()
async def errors_and_stop(dut):
    contents, errors = Contents(), 0
    AxiMemory(dut, "axi", contents, latency=(30, 30), outstanding=parameters()["outstanding"])
    source = StreamSource(dut, "i__1", WRITE_BEAT)
    dut.i__0__valid.value = 0
    dut.stop.value = 0
    await start(dut)
    contents.refused |= {0x40, 0x50}
    source.send_nowait(*({"address": a, "data": 7, "strobe": 1, "left": 0} for a in (0x30, 0x40, 0x50, 0x60)))
    await source.drain()
    dut.stop.value = 1
    source.send_nowait({"address": 0x70, "data": 7, "strobe": 1, "left": 0})
    for _ in range(80):
        await RisingEdge(dut.clk)
        errors += int(dut.error.value)
    assert errors == 2 and dut.quiet.value
    assert contents.beat(0x60) & 255 == 7 and contents.beat(0x70) & 255 != 7
    dut.stop.value = 0
    await source.drain()
    await ClockCycles(dut.clk, 2)
    assert not dut.quiet.value


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def stop_amid_a_burst(dut, stall):
    """The beats that do not come any more are made up and write nothing."""
    contents = Contents()
    before = [contents.beat(16 * n) for n in range(8)]
    AxiMemory(dut, "axi", contents, stall=stall, latency=(5, 30), outstanding=parameters()["outstanding"])
    source = StreamSource(dut, "i__0", WRITE_BEAT)
    dut.i__1__valid.value = 0
    dut.stop.value = 0
    await start(dut)
    await source.send([{"address": 0, "data": n, "strobe": 0xFFFF, "left": 7 - n} for n in range(3)])
    dut.stop.value = 1
    await ClockCycles(dut.clk, 4)
    assert not dut.quiet.value
    await ClockCycles(dut.clk, 100)
    assert dut.quiet.value
    assert [contents.beat(16 * n) for n in range(8)] == [0, 1, 2, *before[3:]]
    dut.stop.value = 0
    await source.send([{"address": 0x70, "data": 9, "strobe": 0xFFFF, "left": 0}])
    await ClockCycles(dut.clk, 100)
    assert contents.beat(0x70) == 9 and dut.quiet.value
