"""ScaleMemory: words come back by token, the largest exponent ignores zeros and what lies past the tokens."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from hw.attention.scale_memory import ScaleMemory
from models.golden.scalar import from_word
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
async def words_and_top(dut):
    """Lists of all lengths about a beat, with zeros; reads with pauses."""
    given = parameters()
    beats_in = StreamSource(dut, "i", stall=given["stall"])
    for port in (dut.start, dut.tokens, dut.token):
        port.value = 0
    dut.enable.value = 1
    await start(dut)
    rng = np.random.default_rng(generator().getrandbits(64))
    edge = RisingEdge(dut.clk)
    for tokens, zeros in given["lists"]:
        words = rng.integers(0, 1 << 32, -(-tokens // 4) * 4, dtype=np.uint32)
        words |= 1 << 23
        words[:tokens] = np.where(rng.random(tokens) < zeros, words[:tokens] & 0xFF000000, words[:tokens])
        words[tokens:] = 0x7F800000
        dut.tokens.value, dut.start.value = tokens, 1
        await edge
        dut.start.value = 0
        stored = words.astype("<u4").tobytes()
        await beats_in.send(int.from_bytes(stored[low:low + 16], "little") for low in range(0, len(stored), 16))
        await ClockCycles(dut.clk, ScaleMemory.LARGEST_LATENCY)
        m, e = from_word(words[:tokens])
        assert dut.largest.value.to_signed() == np.where(m > 0, e, -128).max(), (tokens, zeros)
        pipeline: list[int] = []
        for token in rng.integers(0, tokens, 40):
            dut.token.value, dut.enable.value = int(token), 1
            await edge
            pipeline.append(int(words[token]))
            dut.enable.value = 0
            for _ in range(int(rng.integers(0, 3))):
                dut.token.value = int(rng.integers(0, tokens))
                await edge
                assert len(pipeline) < 2 or int(dut.word.value) == pipeline[-2], (tokens, zeros)
