"""Step gearbox: the steps' indices in order, never more than there is room for; how many bytes of each beat were
invalid."""

from __future__ import annotations

import cocotb
from amaranth.lib import data
from cocotb.triggers import RisingEdge

from hw.linear.group_index import INDEX_BITS
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


async def _invalid(dut, counts: list[int]) -> None:
    while True:
        await RisingEdge(dut.clk)
        if not dut.rst.value and int(dut.invalid_bytes.value):
            counts.append(int(dut.invalid_bytes.value))


async def _free(dut, received: list[int], room: int, drain: float) -> None:
    """Give steps' room back, some at a time; there are never more than `room`."""
    random, freed = generator(f"free {drain}"), 0
    while True:
        await RisingEdge(dut.clk)
        received[0] += bool(dut.o_steps__valid.value) and not dut.rst.value
        assert received[0] - freed <= room, "a step without room"
        dut.freed.value = free = freed < received[0] and random.random() >= drain
        freed += free


@cocotb.test()
@cocotb.parametrize(fill=[0.0, 0.5], drain=[0.0, 0.5, 0.9])
async def beats_to_steps(dut, fill, drain):
    given, counts, received = parameters(), [], [0]
    steps = given["steps"]
    layout = data.ArrayLayout(data.ArrayLayout(INDEX_BITS, len(steps[0][0])), len(steps[0]))
    source = StreamSource(dut, "i_beats", stall=fill)
    sink = StreamSink(dut, "o_steps", layout)
    dut.freed.value = 0
    cocotb.start_soon(_invalid(dut, counts))
    await start(dut)
    cocotb.start_soon(_free(dut, received, given["room"], drain))
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


@cocotb.test()
async def a_full_buffer_is_filled_to_its_last_place(dut):
    """Nothing is freed: as many steps come as there is room for, and no more."""
    given = parameters()
    source, sink = StreamSource(dut, "i_beats"), StreamSink(dut, "o_steps")
    dut.freed.value = 0
    await start(dut)
    source.send_nowait(*given["beats"])
    for _ in range(len(given["beats"]) + 20):
        await RisingEdge(dut.clk)
    assert len(sink.receive_nowait()) == given["room"] < len(given["steps"])
