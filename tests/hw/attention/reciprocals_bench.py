"""Reciprocals of jobs of every shape, and the exponents that go out on the way, always taken."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from hw.attention.output_memory import ROW_EXPONENT
from hw.attention.reciprocals import job_reciprocals
from hw.attention.softmax import softmax_totals
from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def jobs_in_turn(dut, stall):
    given = parameters()
    source = StreamSource(dut, "i", softmax_totals(given["pairs"], given["context_max"]), stall=stall)
    sink = StreamSink(dut, "o", job_reciprocals(given["pairs"]), stall=stall)
    exponents = StreamSink(dut, "o_exponent", ROW_EXPONENT, always_ready=True)
    await start(dut)
    source.send_nowait(*(case["i"] for case in given["cases"]))
    for n, case in enumerate(given["cases"]):
        got = await sink.receive()
        assert got["job"] == case["i"]["job"], f"job {n}: {got['job']}"
        pairs = len(case["reciprocals"])  # what others are is left open
        assert got["reciprocals"][:pairs] == case["reciprocals"], f"job {n}: {got['reciprocals']}"
        came = await exponents.receive(pairs)
        assert came == case["exponents"], f"job {n}: {came}"
    for _ in range(20):
        await RisingEdge(dut.clk)
    assert not sink.receive_nowait() and not exponents.receive_nowait()
