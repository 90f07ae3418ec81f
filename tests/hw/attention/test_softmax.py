"""Softmax: weights and sums, bit for bit."""

from __future__ import annotations

import pytest

from hw.attention.softmax import Softmax
from sim.runner import run_bench

GROUPS = [(1, 1, 0, 3, 0.0), (1, 4, 10, 0, 0.0), (32, 4, 0, 0, 0.0), (32, 4, 13, 3, 0.1), (64, 2, 15, 10, 0.2),
          (20, 3, 31, 128, 0.3), (30, 4, 12, 30, 0.0), (9, 1, 10, 5, 1.0)]


@pytest.mark.parametrize("stall", [0.0, 0.4], ids=["free", "stalls"])
def test_equals_golden(stall):
    unit = dict(group_max=4, context_max=64)
    run_bench(Softmax(**unit), "sim.benches.attention.softmax", {"unit": unit, "groups": GROUPS, "stall": stall})
