"""Write master: several clients' beats, responses in any order, idle flags, errors and the stop."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from hw.memory.shapes import WRITE_BEAT
from sim.benches.memory.axi_memory import AxiMemory, Contents
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start


def _beats(random, client: int, count: int) -> list[dict[str, int]]:
    """Beats of a client, in a region of its own, some addresses twice in a row."""
    return [{"address": client << 36 | random.randrange(count // 2) * 16, "data": random.getrandbits(128),
             "strobe": random.choice([0xFFFF, 0, random.getrandbits(16)])} for _ in range(count)]


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4], latency=[(1, 1), (1, 50)])
async def beats_of_all_clients(dut, stall, latency):
    contents, expected, random = Contents(), Contents(), generator("beats")
    clients = range(parameters()["clients"])
    AxiMemory(dut, "axi", contents, stall=stall, latency=latency, outstanding=parameters()["outstanding"])
    sources = [StreamSource(dut, f"i__{c}", WRITE_BEAT, stall=stall) for c in clients]
    dut.stop.value = 0
    await start(dut)
    assert dut.idle.value == (1 << len(clients)) - 1
    work = [_beats(random, client, 60) for client in clients]
    for source, beats in zip(sources, work, strict=True):
        source.send_nowait(*beats)
    for client, (source, beats) in enumerate(zip(sources, work, strict=True)):
        await source.drain()
        await RisingEdge(dut.clk)
        while not int(dut.idle.value) >> client & 1:
            await RisingEdge(dut.clk)
        for beat in beats:
            expected.store(**beat)
        for beat in beats:
            assert contents.beat(beat["address"]) == expected.beat(beat["address"])
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
    source.send_nowait(*({"address": a, "data": 7, "strobe": 1} for a in (0x30, 0x40, 0x50, 0x60)))
    await source.drain()
    dut.stop.value = 1
    source.send_nowait({"address": 0x70, "data": 7, "strobe": 1})
    for _ in range(80):
        await RisingEdge(dut.clk)
        errors += int(dut.error.value)
    assert errors == 2 and dut.quiet.value
    assert contents.beat(0x60) & 255 == 7 and contents.beat(0x70) & 255 != 7
    dut.stop.value = 0
    await source.drain()
    await ClockCycles(dut.clk, 2)
    assert not dut.quiet.value
