"""ScoreScale against golden: a truncated scalar product and one rounding, all pairs at a time."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from hw.attention.score_scale import ScoreScale
from models.golden.scalar import Scalar, from_word, log2_e_over_root, mul, scale_round, to_word
from sim.packing import Packing
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def equals_golden(dut, stall):
    """Scales over small and full exponent ranges and zeros; tokens in order, bubbles between them."""
    given = parameters()
    unit, pairs = ScoreScale(**given["unit"], user_layout=16), given["unit"]["pairs"]
    dots_in = StreamSource(dut, "i", unit.i.payload.shape(), stall=stall)
    out = Packing.of(unit.o.payload.shape())
    rng = np.random.default_rng(generator().getrandbits(64))
    results: list[dict[str, int]] = []

    async def edges():
        """The output is always taken."""
        while True:
            await RisingEdge(dut.clk)
            if dut.o__valid.value:
                results.append(out.unpack(int(dut.o__payload.value)))

    dut.o__ready.value = 1
    await start(dut)
    cocotb.start_soon(edges())
    for tokens, low, high in given["lists"]:
        query_scale = Scalar(rng.integers(1 << 23, 1 << 24, pairs), rng.integers(-20, 0, pairs))
        key_scales = to_word(Scalar(rng.integers(1 << 23, 1 << 24, tokens), rng.integers(low, high, tokens)))
        key_scales[rng.integers(0, tokens, tokens // 5)] = 0
        units = mul(query_scale, from_word(to_word(log2_e_over_root(int(rng.integers(16, 257))))))
        top = 1 << (given["unit"]["dot_bits"] - 2)
        dots = rng.integers(-top, top + 1, (tokens, pairs)) >> rng.integers(0, 20, (tokens, pairs))
        results.clear()
        await dots_in.send({
            "dots": dots[token].tolist(), "key_scale": int(key_scales[token]), "user": token,
            "units": [{"m": int(units.m[pair]), "e": int(units.e[pair])} for pair in range(pairs)],
        } for token in range(tokens))
        await ClockCycles(dut.clk, unit.LATENCY + 1)
        expected = scale_round(dots, mul(units[None], from_word(key_scales)[:, None]), fraction=12)
        assert [r["scores"] for r in results] == expected.tolist(), (tokens, low, high)
        assert [r["user"] for r in results] == list(range(tokens))
