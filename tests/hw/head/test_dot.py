# amaranth: UnusedElaboratable=no
"""Dot products against NumPy's: rows of one beat and more, gaps, the largest sums either way."""

from __future__ import annotations

import numpy as np
import pytest

from hw.head.dot import HeadDot
from tests.hw.cycle_table import check_cycles

LANES, ROWS, LONGEST = 4, 2, 16


def test_sums():
    rng = np.random.default_rng(1)
    unit = HeadDot(LANES, ROWS, LONGEST)
    beats = [LONGEST // LANES] * 4 + [1, 1, 1, 2, 3] + rng.integers(1, 5, 30).tolist()
    cycles = []  # (valid, first, last, weights, activations of the cycle after), in order
    expected = {}
    for n, length in enumerate(beats):
        weights = rng.integers(-128, 128, (length, LANES))
        activations = rng.integers(-32768, 32768, (length, ROWS, LANES))
        if n < 4:
            weights[:] = (-128, 127)[n % 2]
            activations[:] = (-32768, 32767)[n // 2]
        for at in range(length):
            while n >= 4 and rng.random() < 0.2:
                cycles.append((0, *rng.integers(0, 2, 2).tolist(), rng.integers(-128, 128, LANES),
                               rng.integers(-32768, 32768, (ROWS, LANES))))
            cycles.append((1, int(at == 0), int(at == length - 1), weights[at], activations[at]))
        expected[len(cycles) - 1 + unit.latency] = np.einsum("bl,brl->r", weights, activations).tolist()
    idle = (0, 0, 0, np.zeros(LANES, int), np.zeros((ROWS, LANES), int))
    cycles += [idle] * (unit.latency + 2)
    valid, first, last, weights, activations = (list(each) for each in zip(*cycles, strict=True))
    check_cycles(unit, inputs={"valid": valid, "first": first, "last": last, "weights": weights,
                               "activations": [idle[-1], *activations[:-1]]},
                 outputs={"o_valid": [int(n in expected) for n in range(len(cycles))],
                          "sums": [expected.get(n) for n in range(len(cycles))]})


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="vectors of at most 3 do not fill 4 lanes"):
        HeadDot(4, 1, 3)
