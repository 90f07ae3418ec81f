"""Exp2Negative against golden exp2_negative."""

from __future__ import annotations

import cocotb
import numpy as np

from hw.attention.exp2_negative import Exp2Negative
from models.golden.attention import exp2_negative
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, start


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def equals_golden(dut, stall):
    """Corner deltas, every fraction, random deltas; `user` stays with its delta."""
    unit = Exp2Negative(8)
    source = StreamSource(dut, "i", unit.i.payload.shape(), stall=stall)
    sink = StreamSink(dut, "o", unit.o.payload.shape(), stall=stall)
    await start(dut)
    rng = generator("deltas")
    edges = [whole << 12 for whole in range(25)] + [(63 << 12) + 5, (1 << 31) - 1, (1 << 32) - 2]
    deltas = [max(0, edge + by) for edge in edges for by in (-1, 0, 1)]
    deltas += range(0, 4096, 3)
    deltas += [rng.getrandbits(rng.randrange(1, 33)) for _ in range(500)]
    source.send_nowait(*({"delta": delta, "user": n & 255} for n, delta in enumerate(deltas)))
    expected = exp2_negative(np.array(deltas, np.int64))
    for n, p in enumerate(expected):
        assert await sink.receive() == {"p": p, "user": n & 255}, deltas[n]
    if not stall:
        assert sink.cycles[-1] - sink.cycles[0] == len(deltas) - 1
