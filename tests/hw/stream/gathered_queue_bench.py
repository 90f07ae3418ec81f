"""Gathered queue: words out of their parts in order, the count of parts, and how long the first one takes."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


async def _check_level(dut, parts: int) -> None:
    """`level` is what came and did not go."""
    level = 0
    while True:
        await RisingEdge(dut.clk)
        if not dut.rst.value:
            assert dut.level.value == level
            level += int(dut.i__valid.value and dut.i__ready.value)
            level -= parts * int(dut.o__valid.value and dut.o__ready.value)


@cocotb.test()
@cocotb.parametrize(fill=[0.0, 0.5, 0.9], drain=[0.0, 0.5, 0.9])
async def words_in_order(dut, fill, drain):
    bits, parts = (parameters()[name] for name in ("bits", "parts"))
    source, sink = StreamSource(dut, "i", stall=fill), StreamSink(dut, "o", stall=drain)
    await start(dut)
    start_soon(_check_level(dut, parts))
    words = [generator(f"word {n}").getrandbits(bits * parts) for n in range(60)]
    source.send_nowait(*(word >> bits * n & (1 << bits) - 1 for word in words for n in range(parts)))
    assert await sink.receive(len(words)) == words
    if fill == drain == 0:
        assert sink.cycles[-1] - sink.cycles[0] == (parts + 1) * (len(words) - 1)


@cocotb.test()
async def latency_and_room(dut):
    parts, depth = (parameters()[name] for name in ("parts", "depth"))
    dut.i__valid.value = dut.o__ready.value = 0
    await start(dut)
    await ClockCycles(dut.clk, 3)
    dut.i__payload.value = 1
    dut.i__valid.value = 1
    await RisingEdge(dut.clk)  # the design sees valid from here on
    accepted = 0
    for cycle in range(120):
        accepted += int(dut.i__ready.value)
        assert bool(dut.o__valid.value) == (cycle >= parts + 3)
        await RisingEdge(dut.clk)
    assert accepted >= parts * (depth + 1)
