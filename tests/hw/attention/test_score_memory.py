"""ScoreMemory: storage and exact maxima."""

from __future__ import annotations

import pytest

from hw.attention.score_memory import ScoreMemory
from sim.runner import run_bench

LIMIT = (1 << 31) - 1
GROUPS = [(1, 1, -5, 5), (32, 4, -LIMIT, LIMIT + 1), (64, 2, -100, -50), (7, 3, -LIMIT, -LIMIT + 2), (5, 4, 0, 1),
          (1, 4, -3, 0)]


@pytest.mark.parametrize("stall", [0.0, 0.4], ids=["free", "stalls"])
def test_keeps_scores_and_maxima(stall):
    unit = dict(group_max=4, context_max=32)
    run_bench(ScoreMemory(**unit), "sim.benches.attention.score_memory",
              {"unit": unit, "groups": GROUPS, "stall": stall})
