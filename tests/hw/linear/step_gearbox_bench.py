"""Step gearbox: the steps' indices in order, and how many bytes of each beat were invalid."""

from __future__ import annotations

import cocotb
from amaranth.lib import data
from cocotb.triggers import RisingEdge

from hw.linear.group_index import INDEX_BITS
from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start


async def _invalid(dut, counts: list[int]) -> None:
    while True:
        await RisingEdge(dut.clk)
        if not dut.rst.value and int(dut.invalid_bytes.value):
            counts.append(int(dut.invalid_bytes.value))


@cocotb.test()
@cocotb.parametrize(fill=[0.0, 0.5], drain=[0.0, 0.5])
async def beats_to_steps(dut, fill, drain):
    given, counts = parameters(), []
    steps = given["steps"]
    layout = data.ArrayLayout(data.ArrayLayout(INDEX_BITS, len(steps[0][0])), len(steps[0]))
    source = StreamSource(dut, "i_beats", stall=fill)
    sink = StreamSink(dut, "o_steps", layout, stall=drain)
    cocotb.start_soon(_invalid(dut, counts))
    await start(dut)
    source.send_nowait(*given["beats"])
    for n, expected in enumerate(steps):
        got = await sink.receive()
        assert got == expected, f"step {n} is {got}, not {expected}"
    for _ in range(20):
        await RisingEdge(dut.clk)
    assert not sink.receive_nowait()
    assert counts == [count for count in given["invalid"] if count]
    if not fill and not drain:  # a beat a cycle
        assert sink.cycles[-1] <= len(given["beats"]) + 5
