"""Softmax against golden: numerators, their sums, weights."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ReadWrite, RisingEdge

from hw.attention.softmax import Softmax
from models.golden.attention import exp2_negative
from models.golden.rounding import round_shift
from models.golden.scalar import Scalar, from_word, to_word
from sim.streams import StreamSink
from sim.testbench import generator, parameters, start


@cocotb.test()
async def equals_golden(dut):
    """Spreads of scores from none to saturated, scales from equal to any, zeros among them."""
    given = parameters()
    unit = Softmax(**given["unit"])
    weights_out = StreamSink(dut, "o", unit.o.payload.shape(), stall=given["stall"])
    rng = np.random.default_rng(generator().getrandbits(64))
    scores, maxima, words = np.zeros(1, np.int64), np.zeros(4, np.int64), np.zeros(1, np.uint32)

    async def memories():
        """Score and scale memories with `enable`, and the maxima, combinational."""
        score, word, next_word = 0, 0, 0
        while True:
            await ReadWrite()
            dut.score.value, dut.value_scale.value = score & 0xFFFFFFFF, word
            dut.maximum.value = int(maxima[int(dut.maximum_head.value)]) & 0xFFFFFFFF
            await RisingEdge(dut.clk)
            if dut.enable.value:
                score = int(scores[int(dut.address.value) % len(scores)])
                word, next_word = next_word, int(words[int(dut.token.value) % len(words)])

    for port in (dut.start, dut.group_last, dut.count, dut.largest, dut.score, dut.maximum, dut.value_scale,
                 dut.total_head):
        port.value = 0
    await start(dut)
    cocotb.start_soon(memories())
    for tokens, heads, score_bits, exponents, zeros in given["groups"]:
        limit = (1 << score_bits) - 1
        table = rng.integers(-limit, limit + 1, (tokens, heads))
        scores, maxima = table.reshape(-1), np.pad(table.max(axis=0), (0, 4 - heads))
        words = to_word(Scalar(rng.integers(1 << 23, 1 << 24, tokens),
                               rng.integers(-exponents, max(1, exponents), tokens)))
        words[rng.random(tokens) < zeros] = 0
        m, e = from_word(words)
        top = int(np.where(m > 0, e, -128).max())
        dut.group_last.value, dut.count.value, dut.largest.value, dut.start.value = heads - 1, scores.size, top & 255, 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        p = exp2_negative(table.max(axis=0) - table)
        expected = round_shift(p * m[:, None], 20 + np.clip(top - e, 0, 40)[:, None])
        got = [w["weight"] for w in await weights_out.receive(scores.size)]
        assert got == expected.reshape(-1).tolist(), (tokens, heads, score_bits, exponents, zeros)
        for head in range(heads):
            dut.total_head.value = head
            await RisingEdge(dut.clk)
            assert int(dut.total.value) == p[:, head].sum(), (tokens, heads, head)
        for _ in range(2 * unit.LATENCY):
            await RisingEdge(dut.clk)
        assert weights_out.receive_nowait() == [], "more weights than scores"
