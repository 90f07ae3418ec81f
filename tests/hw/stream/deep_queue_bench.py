"""Beat FIFO: order, latency, rate, capacity and the count of freed words."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


async def _count(dut, counts: dict[str, int]) -> None:
    while True:
        await RisingEdge(dut.clk)
        if not dut.rst.value:
            counts["taken"] += int(dut.taken.value)


@cocotb.test()
@cocotb.parametrize(fill=[0.0, 0.5, 0.9], drain=[0.0, 0.5, 0.9])
async def words_in_order(dut, fill, drain):
    counts, random = {"taken": 0}, generator("words")
    source, sink = StreamSource(dut, "i", stall=fill), StreamSink(dut, "o", stall=drain)
    start_soon(_count(dut, counts))
    await start(dut)
    words = [random.getrandbits(24) for _ in range(400)]
    source.send_nowait(*words)
    assert await sink.receive(len(words)) == words
    assert counts["taken"] == len(words)
    if fill == drain == 0:
        assert sink.cycles[-1] - sink.cycles[0] == len(words) - 1


@cocotb.test()
async def capacity_and_latency(dut):
    depth = parameters()["depth"]
    dut.i__valid.value = 0
    dut.o__ready.value = 0
    await start(dut)
    await ClockCycles(dut.clk, 3)
    dut.i__payload.value = 5
    dut.i__valid.value = 1
    await RisingEdge(dut.clk)  # the design sees valid from here on
    for cycle in range(1, 200):
        await RisingEdge(dut.clk)
        assert bool(dut.o__valid.value) == (cycle > 3 - 1)
        assert bool(dut.i__ready.value) == (cycle < depth + 2)
