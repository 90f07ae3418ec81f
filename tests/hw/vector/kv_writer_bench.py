"""KVWriter: tokens one after another, as `HeadPath` gives them, and the writes that must come out."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start

_QUIET_CYCLES = 60


@cocotb.test()
@cocotb.parametrize(case=["keys", "values"], stall=[0.0, 0.3])
async def tokens_leave_together(dut, case, stall):
    """A token's values begin a cycle after its start; the next one starts when they are in."""
    given = parameters()
    words, heads, case = given["words"], given["heads"], given["cases"][case]
    sources = {port: StreamSource(dut, port, stall=stall) for port in ("start", "i", "i_scale")}
    sink = StreamSink(dut, "o_write", stall=stall)
    await start(dut)
    assert not dut.busy.value
    values, scales = iter(case["i"]), iter(case["i_scale"])
    for target in case["start"]:
        await sources["start"].send([target])
        for _ in range(heads):
            await sources["i_scale"].send([next(scales)])
            await sources["i"].send([next(values) for _ in range(words)])
    await RisingEdge(dut.clk)
    while dut.busy.value:
        await RisingEdge(dut.clk)
    found = sink.receive_nowait()
    assert len(found) == len(case["o_write"])
    for n, (got, expected, mask) in enumerate(zip(found, case["o_write"], case["care"], strict=True)):
        assert got & mask == expected & mask, f"o_write[{n}] is {got:#x}, not {expected:#x}"
    await ClockCycles(dut.clk, _QUIET_CYCLES)
    assert not sink.receive_nowait() and not dut.busy.value
