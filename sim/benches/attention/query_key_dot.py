"""QueryKeyDot against NumPy: exact dot products of a group's queries with each key."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from hw.attention.query_key_dot import ROW_BEAT, QueryKeyDot
from sim.packing import Packing
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
async def exact_dots(dut):
    """Groups and key lengths of all sizes, extremes among them, with and without bubbles."""
    given = parameters()
    unit = QueryKeyDot(**given["unit"])
    words, out = Packing.of(unit.queries.shape()), Packing.of(unit.o.payload.shape())
    keys_in = StreamSource(dut, "i", ROW_BEAT, stall=given["stall"])
    queries = np.zeros((unit.group_max, 1, unit.lanes), np.int64)
    results: list[dict[str, int]] = []

    async def edges():
        """The query memory, one cycle behind its address, and the output, always taken."""
        while True:
            await RisingEdge(dut.clk)
            if dut.o__valid.value:
                results.append(out.unpack(int(dut.o__payload.value)))
            head, chunk = int(dut.head.value), int(dut.chunk.value)
            dut.queries.value = words.pack(queries[head, min(chunk, queries.shape[1] - 1)])

    dut.group_last.value = dut.beats_last.value = dut.queries.value = 0
    dut.o__ready.value = 1
    await start(dut)
    cocotb.start_soon(edges())
    rng = np.random.default_rng(generator().getrandbits(64))
    limit = 1 << (unit.kv_bits - 1)
    for tokens, heads, beats, extreme in given["groups"]:
        dut.group_last.value, dut.beats_last.value = heads - 1, beats - 1
        keys = rng.integers(-limit, limit, (tokens, beats * unit.lanes))
        queries = rng.integers(-(1 << 15), 1 << 15, (unit.group_max, beats, unit.lanes))
        if extreme:
            keys[:], queries[:] = -limit, -(1 << 15)
        stored = keys.astype(f"<i{unit.kv_bits // 8}").tobytes()
        sent = [int.from_bytes(stored[low:low + 16], "little") for low in range(0, len(stored), 16)]
        results.clear()
        await keys_in.send({"data": beat, "last": n == len(sent) - 1} for n, beat in enumerate(sent))
        await ClockCycles(dut.clk, unit.latency + 1)
        expected = keys @ queries[:heads].reshape(heads, -1).T
        order = [(token, head) for token in range(tokens) for head in range(heads)]
        assert results == [
            {"dot": expected[token, head], "head": head, "last": (token, head) == order[-1]}
            for token, head in order], (tokens, heads, beats)
