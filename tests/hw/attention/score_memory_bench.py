"""ScoreMemory: scores and value scales come back as written, maxima are exact."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.attention.score_memory import ScoreMemory
from models.golden.scalar import Scalar, from_word, to_word
from sim.packing import Packing
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def keeps_scores_and_maxima(dut, stall):
    """Jobs one after another: pairs that stop one token after another, zero scales, maxima at any place."""
    given = parameters()
    unit = ScoreMemory(**given["unit"])
    scores_in = StreamSource(dut, "i", unit.i.payload.shape(), stall=stall)
    word, maxima, tops = (Packing.of(port.shape()) for port in (unit.word, unit.maximum, unit.largest))
    dut.address.value = 0
    await start(dut)
    rng = np.random.default_rng(generator().getrandbits(64))
    edge = RisingEdge(dut.clk)
    for tokens, low, high, zeros in given["jobs"]:
        scores = rng.integers(low, high, (tokens, given["unit"]["pairs"]))
        words = to_word(Scalar(rng.integers(1 << 23, 1 << 24, tokens), rng.integers(-128, 128, tokens)))
        words[rng.random(tokens) < zeros] = 0
        attended = [max(1, tokens - back) for back in reversed(range(given["unit"]["pairs"]))]
        scores_in.send_nowait(*(
            {"scores": scores[t].tolist(), "value_scale": int(words[t]), "token": t, "last": t == tokens - 1,
             "counts": sum((t < n) << pair for pair, n in enumerate(attended))} for t in range(tokens)))
        waited = 0
        while not dut.complete.value:
            await edge
            waited += 1
        m, e = from_word(words)
        assert waited >= tokens
        assert maxima.unpack(int(dut.maximum.value)) == [scores[:n, p].max() for p, n in enumerate(attended)]
        assert tops.unpack(int(dut.largest.value)) == [np.where(m > 0, e, -128)[:n].max() for n in attended]
        for t in range(tokens):
            dut.address.value = t
            for _ in range(1 + unit.READ_LATENCY):
                await edge
            assert word.unpack(int(dut.word.value)) == {"scores": scores[t].tolist(), "value_scale": words[t]}, t
            assert not dut.complete.value
