"""Normaliser against golden arithmetic, the sums given as a memory."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.attention.normaliser import Normaliser
from hw.attention.output_memory import OUTPUT_BITS
from hw.attention.weighted_sum import WeightedSum
from models.golden.rounding import round_shift
from models.golden.scalar import constant, div, from_int, scale_round
from sim.packing import Packing
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
async def equals_golden(dut):
    """Random sums within the range that a softmax can give, the extremes of it, and zeros; every place exactly once."""
    given = parameters()
    unit = Normaliser(**given["unit"])
    sums_packing, out = Packing.of(unit.sums.shape()), Packing.of(unit.o.payload.shape())
    jobs = StreamSource(dut, "i", unit.i.payload.shape())
    kv_bits, lanes, width = (given["unit"][name] for name in ("kv_bits", "lanes", "sum_lanes"))
    drop, fraction = kv_bits - 3, 24 - 4 - (kv_bits - 1)
    dut.dim.value = dut.done.value = dut.sums.value = 0
    dut.o__ready.value = 1
    rng = np.random.default_rng(generator().getrandbits(64))
    held = np.zeros((given["unit"]["pairs"], lanes), np.int64)
    got: dict[tuple[int, int], int] = {}
    events = {"freed": 0, "retired": 0}

    async def surroundings():
        """The sums, READ_LATENCY cycles behind their address; the results, always taken."""
        late = [0] * (WeightedSum.READ_LATENCY - 1)
        while True:
            await RisingEdge(dut.clk)
            low = width * int(dut.step.value)
            late.append(sums_packing.pack(held[int(dut.pair.value), low:low + width].tolist()))
            dut.sums.value = late.pop(0)
            for name in events:
                events[name] += int(getattr(dut, name).value)
            if dut.o__valid.value:
                result = out.unpack(int(dut.o__payload.value))
                for n, x in enumerate(result["x"]):
                    assert (result["row"], result["channel"] + n) not in got
                    got[result["row"], result["channel"] + n] = x

    await start(dut)
    cocotb.start_soon(surroundings())
    for heads, rows, dim, kind, last in given["jobs"]:
        pairs = heads * rows
        n = rng.integers(1, given["tokens_max"] + 1, pairs)
        totals = (n << 20) - rng.integers(0, 1 << 20, pairs) * (n > 1)
        limit = 16 * totals[:, None] * ((1 << (kv_bits - 1)) - 1)
        chunks = -(-dim // lanes)
        sums = rng.integers(-limit, limit + 1, (pairs, chunks * lanes))
        if kind == "extreme":
            sums = np.where(sums > 0, limit, -limit)
        elif kind == "small":
            sums = rng.integers(-4000, 4001, sums.shape)
        reciprocal = div(constant(1), from_int(totals))
        dut.dim.value = dim
        got.clear()
        events.update(freed=0, retired=0)
        job = {"last": last, "kv_head": 0, "head": 1, "row": 1, "tokens": 5, "heads_last": heads - 1,
               "rows_last": rows - 1}
        scalars = [{"m": int(reciprocal.m[p % pairs]), "e": int(reciprocal.e[p % pairs])} for p in range(len(held))]
        jobs.send_nowait({"job": job, "reciprocals": scalars})
        for chunk in range(chunks):
            held[:pairs] = sums[:, chunk * lanes:(chunk + 1) * lanes]
            dut.done.value = 1
            await RisingEdge(dut.clk)
            dut.done.value = 0
            while events["freed"] == chunk:
                await RisingEdge(dut.clk)
            await RisingEdge(dut.clk)
        for _ in range(24):
            await RisingEdge(dut.clk)
        expected = scale_round(round_shift(sums[:, :dim], drop), reciprocal[:, None], fraction=fraction + drop)
        assert abs(expected).max() < 1 << (OUTPUT_BITS - 1)
        assert got == {(1 + pair // heads, (1 + pair % heads) * dim + channel): expected[pair, channel]
                       for pair in range(pairs) for channel in range(dim)}, (heads, rows, dim, kind)
        assert events == {"freed": chunks, "retired": last}
