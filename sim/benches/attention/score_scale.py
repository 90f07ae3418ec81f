"""ScoreScale against golden: two truncated scalar products and one rounding."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from hw.arith.scalar import SCALAR
from hw.attention.score_scale import ScoreScale
from models.golden.scalar import Scalar, from_word, log2_e_over_root, mul, scale_round, to_word
from sim.packing import Packing
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
async def equals_golden(dut):
    """Scales over small and full exponent ranges and zeros; heads in order, bubbles between them."""
    given = parameters()
    unit = ScoreScale(**given["unit"])
    dots_in = StreamSource(dut, "i", unit.i.payload.shape(), stall=given["stall"])
    scalar, out = Packing.of(SCALAR), Packing.of(unit.o.payload.shape())
    rng = np.random.default_rng(generator().getrandbits(64))
    query_scale = Scalar(np.zeros(4, np.int64), np.zeros(4, np.int64))
    key_scales = np.zeros(1, np.uint32)
    results: list[dict[str, int]] = []

    async def edges():
        """The memories behind `head` (one cycle) and `token` (two), and the output, always taken."""
        word = 0
        while True:
            await RisingEdge(dut.clk)
            if dut.o__valid.value:
                results.append(out.unpack(int(dut.o__payload.value)))
            dut.key_scale.value = word
            word = int(key_scales[min(int(dut.token.value), len(key_scales) - 1)])
            head = int(dut.head.value)
            dut.query_scale.value = scalar.pack({"m": query_scale.m[head], "e": query_scale.e[head]})

    for port in (dut.start, dut.group_last, dut.score_constant, dut.query_scale, dut.key_scale):
        port.value = 0
    dut.o__ready.value = 1
    await start(dut)
    cocotb.start_soon(edges())
    for tokens, heads, low, high in given["groups"]:
        query_scale = Scalar(rng.integers(1 << 23, 1 << 24, 4), rng.integers(-20, 0, 4))
        key_scales = to_word(Scalar(rng.integers(1 << 23, 1 << 24, tokens), rng.integers(low, high, tokens)))
        key_scales[rng.integers(0, tokens, tokens // 5)] = 0
        constant = to_word(log2_e_over_root(int(rng.integers(16, 257))))
        top = 1 << (given["unit"]["dot_bits"] - 2)
        dots = rng.integers(-top, top + 1, (tokens, heads)) >> rng.integers(0, 20, (tokens, heads))
        dut.group_last.value, dut.score_constant.value, dut.start.value = heads - 1, int(constant), 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        results.clear()
        await dots_in.send(
            {"dot": dots[token, head], "head": head, "last": token == tokens - 1 and head == heads - 1}
            for token in range(tokens) for head in range(heads))
        await ClockCycles(dut.clk, unit.LATENCY + 1)
        units = mul(mul(query_scale[np.arange(heads)], from_word(constant))[None], from_word(key_scales)[:, None])
        expected = scale_round(dots, units, fraction=12)
        assert [r["score"] for r in results] == expected.reshape(-1).tolist(), (tokens, heads, low, high)
        assert [r["head"] for r in results] == list(range(heads)) * tokens
        assert [r["last"] for r in results] == [0] * (tokens * heads - 1) + [1]
