"""Normaliser against golden arithmetic, the sums and totals given as memories."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ReadWrite, RisingEdge

from hw.attention.normaliser import OUTPUT_BITS, Normaliser
from models.golden.rounding import round_shift
from models.golden.scalar import constant, div, from_int, scale_round
from sim.packing import Packing
from sim.testbench import generator, parameters, start


@cocotb.test()
async def equals_golden(dut):
    """Random sums within the range that a softmax can give, the extremes of it, and zeros."""
    given = parameters()
    unit = Normaliser(**given["unit"])
    sums_packing, lanes = Packing.of(unit.sums.shape()), unit.sums.shape().length
    kv_bits = given["unit"]["kv_bits"]
    drop, fraction = kv_bits - 3, 24 - 4 - (kv_bits - 1)
    for port in (dut.start, dut.group_last, dut.dim, dut.sums, dut.total):
        port.value = 0
    dut.o__ready.value = 1
    rng = np.random.default_rng(generator().getrandbits(64))
    memory: dict[str, np.ndarray] = {}

    async def answer():
        """The memories behind `head` and `chunk`, combinational."""
        while True:
            await ReadWrite()
            if memory:
                head, low = int(dut.head.value), int(dut.chunk.value) * lanes
                dut.total.value = int(memory["totals"][head])
                word = memory["sums"][head, low:low + lanes]
                dut.sums.value = sums_packing.pack(word if word.size else np.zeros(lanes, np.int64))
            await RisingEdge(dut.clk)

    cocotb.start_soon(answer())
    await start(dut)
    for heads, dim, kind in given["groups"]:
        n = rng.integers(1, given["tokens_max"] + 1, heads)
        totals = (n << 20) - rng.integers(0, 1 << 20, heads) * (n > 1)
        limit = 16 * totals[:, None] * ((1 << (kv_bits - 1)) - 1)
        sums = rng.integers(-limit, limit + 1, (heads, -(-dim // lanes) * lanes))
        if kind == "extreme":
            sums = np.where(sums > 0, limit, -limit)
        elif kind == "small":
            sums = rng.integers(-4000, 4001, sums.shape)
        memory.update(totals=totals, sums=sums)
        dut.group_last.value, dut.dim.value, dut.start.value = heads - 1, dim, 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        got = []
        while not dut.done.value:
            await RisingEdge(dut.clk)
            if dut.o__valid.value:
                got.append(dut.o__payload.value.to_signed())
        reciprocal = div(constant(1), from_int(totals))
        expected = scale_round(round_shift(sums[:, :dim], drop), reciprocal[:, None], fraction=fraction + drop)
        assert abs(expected).max() < 1 << (OUTPUT_BITS - 1)
        assert got == expected.reshape(-1).tolist(), (heads, dim, kind)
