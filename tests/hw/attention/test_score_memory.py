"""ScoreMemory: storage and exact maxima."""

from __future__ import annotations

from hw.attention.score_memory import ScoreMemory
from sim.runner import run_bench

LIMIT = (1 << 31) - 1
JOBS = [(1, -5, 5, 0.0), (32, -LIMIT, LIMIT + 1, 0.2), (64, -100, -50, 0.9), (7, -LIMIT, -LIMIT + 2, 1.0), (5, 0, 1,
                                                                                                            0.5),
        (1, -3, 0, 1.0), (2, -9, 9, 0.0)]


def test_keeps_scores_and_maxima():
    unit = dict(pairs=4, context_max=64)
    run_bench(ScoreMemory(**unit), "tests.hw.attention.score_memory_bench", {"unit": unit, "jobs": JOBS})
