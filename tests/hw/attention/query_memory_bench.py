"""QueryMemory: queries and scales come back from where they were written."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from hw.arith.scalar import SCALAR
from hw.attention.query_memory import QUERY_SCALE, QueryMemory, query_part
from sim.packing import Packing
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
async def written_and_read(dut):
    """Everything written in random order, everything read, part of it written again; heads of all sizes in turn."""
    given = parameters()
    unit = QueryMemory(**given["unit"])
    word, scalar = Packing.of(unit.word.shape()), Packing.of(SCALAR)
    lanes = given["unit"]["lanes"]
    queries_in = StreamSource(dut, "i_query", query_part(lanes))
    scales_in = StreamSource(dut, "i_query_scale", QUERY_SCALE)
    for port in (dut.row, dut.head, dut.index):
        port.value = 0
    await start(dut)
    rng = np.random.default_rng(generator().getrandbits(64))
    rows, size = unit.rows, unit.elements
    for heads, dim in given["shapes"]:
        queries = np.zeros((rows, heads, dim), np.int64)
        mantissas, exponents = np.zeros((rows, heads), np.int64), np.zeros((rows, heads), np.int64)
        for share in (1.0, 0.3):
            places = np.argwhere(rng.random((rows, heads, dim // lanes)) < share) * (1, 1, lanes)
            rng.shuffle(places)
            for row, head, index in places:
                values = rng.integers(-(1 << 15), 1 << 15, lanes)
                queries[row, head, index:index + lanes] = values
                queries_in.send_nowait({"row": row, "head": head, "index": index, "values": values})
            for row, head in np.argwhere(rng.random((rows, heads)) < share):
                mantissas[row, head], exponents[row, head] = rng.integers(0, 1 << 24), rng.integers(-512, 512)
                scales_in.send_nowait({"row": row, "head": head, "scale": {
                    "m": mantissas[row, head], "e": exponents[row, head]}})
            await queries_in.drain()
            await scales_in.drain()
            for row, head, index in np.ndindex(rows, heads, dim // size):
                dut.row.value, dut.head.value, dut.index.value = row, head, index
                await ClockCycles(dut.clk, 1 + unit.LATENCY)
                assert word.unpack(int(dut.word.value)) == queries[row, head, index * size:(index + 1) * size].tolist()
                assert scalar.unpack(int(dut.scale.value)) == {"m": mantissas[row, head], "e": exponents[row, head]}
