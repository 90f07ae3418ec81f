"""Softmax against golden: numerators, their sums, weights."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.attention.score_memory import ScoreMemory
from hw.attention.softmax import Softmax, softmax_lanes
from models.golden.attention import exp2_negative
from models.golden.rounding import round_shift
from models.golden.scalar import Scalar, from_word, to_word
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def equals_golden(dut, stall):
    """Spreads of scores from none to saturated, scales from equal to any, zeros among them, rows of all lengths."""
    given = parameters()
    unit = Softmax(**given["unit"])
    job_in = StreamSource(dut, "i", unit.i.payload.shape())
    totals_out = StreamSink(dut, "o_totals", unit.o_totals.payload.shape(), stall=stall)
    weight_packing, word_packing = Packing.of(unit.o.payload.shape()), Packing.of(unit.word.shape())
    maxima, tops = Packing.of(unit.maximum.shape()), Packing.of(unit.largest.shape())
    rng = np.random.default_rng(generator().getrandbits(64))
    words: list[int] = [0]
    got: list[dict] = []

    async def surroundings():
        """The score memory, READ_LATENCY cycles behind its address, and the weights, always taken."""
        late = [0] * (ScoreMemory.READ_LATENCY - 1)
        while True:
            await RisingEdge(dut.clk)
            late.append(words[min(int(dut.address.value), len(words) - 1)])
            dut.word.value = late.pop(0)
            if dut.o__valid.value:
                got.append(weight_packing.unpack(int(dut.o__payload.value)))

    for port in (dut.complete, dut.word, dut.maximum, dut.largest):
        port.value = 0
    dut.o__ready.value = 1
    await start(dut)
    cocotb.start_soon(surroundings())
    for number, (tokens, heads, rows, score_bits, exponents, zeros) in enumerate(given["jobs"]):
        pairs, limit = heads * rows, (1 << score_bits) - 1
        attended = np.array([tokens + pair // heads for pair in range(pairs)])
        n = int(attended.max())
        scores = rng.integers(-limit, limit + 1, (n, given["unit"]["pairs"]))
        scales = to_word(Scalar(rng.integers(1 << 23, 1 << 24, n), rng.integers(-exponents, max(1, exponents), n)))
        scales[rng.random(n) < zeros] = 0
        m, e = from_word(scales)
        hidden = np.arange(n)[:, None] >= attended
        best = np.where(hidden, -(1 << 40), scores[:, :pairs]).max(axis=0)
        top = np.where(hidden, -128, np.where(m > 0, e, -128)[:, None]).max(axis=0)
        words[:] = [word_packing.pack({"scores": row.tolist(), "value_scale": int(scale)})
                    for row, scale in zip(scores, scales, strict=True)]
        got.clear()
        job = {"last": 0, "kv_head": 0, "head": 3, "row": 2, "tokens": tokens, "heads_last": heads - 1,
               "rows_last": rows - 1}
        await job_in.send([job])
        dut.maximum.value = maxima.pack(np.resize(best, given["unit"]["pairs"]).tolist())
        dut.largest.value = tops.pack(np.resize(top, given["unit"]["pairs"]).tolist())
        dut.complete.value = 1
        await RisingEdge(dut.clk)
        dut.complete.value = 0
        totals = await totals_out.receive()
        p = np.where(hidden, 0, exp2_negative(np.maximum(best - scores[:, :pairs], 0)))
        expected = round_shift(p * m[:, None], 20 + np.clip(top - e[:, None], 0, 40))
        parts = given["unit"]["parts"]
        filled = -(-n // parts) * parts
        expected = np.concatenate([expected, np.zeros((filled - n, pairs), np.int64)])
        lanes = softmax_lanes(given["unit"]["pairs"])
        steps = -(-pairs // lanes)
        assert len(got) == filled * steps, (len(got), filled, steps)
        for index, entry in enumerate(got):
            token, step = divmod(index, steps)
            assert (entry["token"], entry["step"], entry["bank"]) == (token, step, number % 2)
            first = lanes * step
            used = min(lanes, pairs - first)
            assert entry["weights"][:used] == expected[token, first:first + used].tolist(), (token, step)
            assert entry["last"] == (index == len(got) - 1)
        assert totals["totals"][:pairs] == p.sum(axis=0).tolist() and totals["job"] == job
        assert totals["largest"][:pairs] == top.tolist()
