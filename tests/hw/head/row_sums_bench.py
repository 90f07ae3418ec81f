"""Row sums behind a user who does not take them for long: rows wait before they begin, and none is lost."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles

from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start

_BLOCKED = 200  # cycles


@cocotb.test()
async def rows_wait_for_room(dut):
    given = parameters()
    sources = {port: StreamSource(dut, port) for port in ("i_activations", "i_weights", "i_rows")}
    sink = StreamSink(dut, "o", stall=1.0)
    dut.start.value = 0
    for name, value in given["settings"].items():
        getattr(dut, name).value = value
    await start(dut)
    await sources["i_activations"].send(given["i_activations"])
    await ClockCycles(dut.clk, 3)
    sources["i_weights"].send_nowait(*given["i_weights"])
    dut.start.value = 1
    await ClockCycles(dut.clk, 1)
    dut.start.value = 0
    await ClockCycles(dut.clk, _BLOCKED)
    assert not dut.done.value, "all rows have begun without room"
    sink.stall = 0.0
    for n, expected in enumerate(given["o"]):
        got = await sink.receive()
        assert got == expected, f"row {n} is {got:#x}, not {expected:#x}"
