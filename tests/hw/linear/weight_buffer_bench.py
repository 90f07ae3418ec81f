"""Weight buffer: words in order, given in the order of the plans.

Parameters: ``width``; ``plans``, by name: [outputs, tiles, batches] of matrices one after another, outputs a multiple
of 4.
"""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles

from hw.linear.weight_buffer import TILE_PLAN
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


def _expected(words: list[int], plans: list[list[int]]) -> list[int]:
    given, first = [], 0
    for outputs, tiles, batches in plans:
        for _ in range(tiles):
            given += words[first:first + outputs // 4] * batches
            first += outputs // 4
    return given


@cocotb.test()
@cocotb.parametrize(plans=["once", "again"], stall=[0.0, 0.4])
async def words_as_planned(dut, plans, stall):
    given = parameters()
    random, plans = generator("words"), given["plans"][plans]
    source = StreamSource(dut, "i", stall=stall)
    planner = StreamSource(dut, "plan", TILE_PLAN, stall=stall)
    sink = StreamSink(dut, "o", stall=stall)
    await start(dut)
    count = sum(outputs // 4 * tiles for outputs, tiles, _ in plans)
    words = [random.getrandbits(given["width"]) for _ in range(count)]
    source.send_nowait(*words)
    await ClockCycles(dut.clk, 60)
    assert not sink.receive_nowait(), "words without a plan"
    planner.send_nowait(*({"outputs": n, "tiles": tiles, "batches": batches} for n, tiles, batches in plans))
    expected = _expected(words, plans)
    assert await sink.receive(len(expected)) == expected
    if stall == 0:
        assert sink.cycles[-1] - sink.cycles[0] < len(expected) + len(plans), "more than a cycle lost for a plan"
    await ClockCycles(dut.clk, 20)
    assert not sink.receive_nowait(), "words without a plan"
