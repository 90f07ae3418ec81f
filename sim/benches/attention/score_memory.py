"""ScoreMemory: scores come back as written, maxima are exact."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.attention.score_memory import ScoreMemory
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
async def keeps_scores_and_maxima(dut):
    """Fill, check count and maxima, read back with pauses, begin again with another group."""
    given = parameters()
    unit = ScoreMemory(**given["unit"])
    scores_in = StreamSource(dut, "i", unit.i.payload.shape(), stall=given["stall"])
    for port in (dut.start, dut.group_last, dut.address, dut.maximum_head):
        port.value = 0
    dut.enable.value = 1
    await start(dut)
    rng = np.random.default_rng(generator().getrandbits(64))
    edge = RisingEdge(dut.clk)
    for tokens, heads, low, high in given["groups"]:
        scores = rng.integers(low, high, (tokens, heads))
        dut.group_last.value, dut.start.value = heads - 1, 1
        await edge
        dut.start.value = 0
        await edge
        assert not dut.complete.value
        await scores_in.send(
            {"score": scores[token, head], "head": head, "last": token == tokens - 1 and head == heads - 1}
            for token in range(tokens) for head in range(heads))
        await edge
        assert dut.complete.value and int(dut.count.value) == scores.size
        for head in range(heads):
            dut.maximum_head.value = head
            await edge
            assert dut.maximum.value.to_signed() == scores[:, head].max(), (tokens, heads, head)
        for address, expected in enumerate(scores.reshape(-1)):
            dut.address.value, dut.enable.value = address, 1
            await edge
            dut.address.value, dut.enable.value = int(rng.integers(0, scores.size)), 0
            for _ in range(int(rng.integers(1, 3))):
                await edge
                assert dut.score.value.to_signed() == expected, (tokens, heads, address)
