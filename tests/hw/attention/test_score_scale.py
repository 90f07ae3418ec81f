"""ScoreScale: scores in log2 units, bit for bit."""

from __future__ import annotations

import pytest

from hw.attention.score_scale import ScoreScale
from sim.runner import run_bench

GROUPS = [(1, 1, -20, 0), (40, 1, -20, 0), (30, 4, -15, -5), (50, 3, -128, 128), (20, 2, 100, 128), (9, 4, -60, 20)]


@pytest.mark.parametrize("stall", [0.0, 0.4], ids=["free", "stalls"])
@pytest.mark.parametrize("dot_bits", [31, 39])
def test_equals_golden(dot_bits, stall):
    unit = dict(dot_bits=dot_bits, group_max=4, context_max=64)
    run_bench(ScoreScale(**unit), "sim.benches.attention.score_scale",
              {"unit": unit, "groups": GROUPS, "stall": stall})
