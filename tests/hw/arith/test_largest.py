# amaranth: UnusedElaboratable=no
"""The largest lane, a word a cycle: ties, zeros, the largest value in each lane, one lane alone."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.largest import largest_lane
from tests.hw.cycle_table import check_cycles

BITS, COUNTS = 6, (1, 2, 4, 8)


class Largest(wiring.Component):
    """A maximum of each count of lanes, behind the registers that `largest_lane` asks for."""

    def __init__(self):
        super().__init__({"valid": In(1), "last": In(1)} | {
            name: port for n in COUNTS for name, port in (
                (f"lanes_{n}", In(data.ArrayLayout(BITS, n))), (f"largest_{n}", Out(BITS)), (f"valid_{n}", Out(1)),
                (f"last_{n}", Out(1)))})

    def elaborate(self, platform) -> Module:
        m = Module()
        for n in COUNTS:
            lanes = [Signal(BITS, name=f"lane_{n}_{k}") for k in range(n)]
            m.d.sync += [lane.eq(given) for lane, given in zip(lanes, getattr(self, f"lanes_{n}"), strict=True)]
            results = largest_lane(m, lanes, self.valid, self.last)
            m.d.comb += [getattr(self, f"{name}_{n}").eq(result)
                         for name, result in zip(("largest", "valid", "last"), results, strict=True)]
        return m


def test_largest():
    rng, cycles = np.random.default_rng(2), 80
    marks = {name: rng.integers(0, 2, cycles).tolist() for name in ("valid", "last")}
    inputs, outputs = dict(marks), {}
    for n in COUNTS:
        lanes = rng.integers(0, 1 << BITS, (cycles, n)) >> rng.integers(0, BITS + 1, (cycles, 1))
        lanes[:n] = np.eye(n, dtype=int) * ((1 << BITS) - 1)
        latency = n.bit_length()  # 1 + log2 n
        inputs[f"lanes_{n}"] = lanes.tolist()
        outputs[f"largest_{n}"] = [None] * latency + lanes.max(axis=1)[:cycles - latency].tolist()
        for name, given in marks.items():
            outputs[f"{name}_{n}"] = [None] * latency + given[:cycles - latency]
    check_cycles(Largest(), inputs=inputs, outputs=outputs)
