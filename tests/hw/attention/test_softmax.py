"""Softmax: weights and sums, bit for bit."""

from __future__ import annotations

import pytest

from hw.attention.softmax import Softmax
from sim.runner import run_bench

JOBS = [(1, 1, 1, 0, 3, 0.0), (1, 4, 1, 10, 0, 0.0), (32, 4, 1, 0, 0, 0.0), (31, 2, 2, 13, 3, 0.1), (60, 1, 4, 15,
                                                                                                     10, 0.2),
        (20, 3, 1, 31, 128, 0.3), (30, 1, 3, 12, 30, 0.0), (9, 1, 1, 10, 5, 1.0), (5, 2, 1, 12, 5, 0.0)]


@pytest.mark.parametrize(("pairs", "parts"), [(4, 2), *(pytest.param(*other, marks=pytest.mark.slow)
                                                         for other in ((4, 1), (1, 1)))])
def test_equals_golden(pairs, parts):
    """With a single pair, jobs of that."""
    unit = dict(pairs=pairs, context_max=64, parts=parts)
    jobs = JOBS if pairs == 4 else [(tokens, 1, 1, *rest) for tokens, _, _, *rest in JOBS]
    run_bench(Softmax(**unit), "tests.hw.attention.softmax_bench", {"unit": unit, "jobs": jobs})
