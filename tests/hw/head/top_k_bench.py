"""The k largest against the golden function, list after list, with the cycles that insertions take."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.head.top_k import CANDIDATE, LISTED
from models.golden.head import top_k
from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start

NONE = 2**24 - 1, -(2**31)


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def lists_in_turn(dut, stall):
    given = parameters()
    source = StreamSource(dut, "i", CANDIDATE, stall=stall)
    sink = StreamSink(dut, "o", LISTED, stall=stall)
    dut.clear.value = dut.drain.value = 0
    await start(dut)
    for n, case in enumerate(given["cases"]):
        k, rows = case["k"], case["rows"]
        dut.k.value, dut.rows_used.value = k, rows
        await RisingEdge(dut.clk)
        dut.clear.value = 1
        await RisingEdge(dut.clk)
        dut.clear.value = 0
        candidates = [{"row": row, "id": id, "value": value} for row, id, value in case["candidates"]]
        await source.send(candidates)
        dut.drain.value = 1
        for row in range(rows):
            own = np.array([c[1:] for c in case["candidates"] if c[0] == row], np.int64).reshape(-1, 2)
            ids, values = top_k(own[:, 1], k, own[:, 0])
            best = [*zip(ids.tolist(), values.tolist(), strict=True), *[NONE] * k][:k]
            for index, (id, value) in enumerate(best):
                got = await sink.receive()
                expected = {"row": row, "index": index, "id": id, "value": value}
                assert got == expected, f"case {n}: {got}, not {expected}"
                if (row, index) == (rows - 1, k - 1):
                    assert dut.drained.value
        dut.drain.value = 0
        for _ in range(10):
            await RisingEdge(dut.clk)
            assert not dut.drained.value
        assert not sink.receive_nowait()
