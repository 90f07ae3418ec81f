"""ScoreScale: scores in log2 units, bit for bit."""

from __future__ import annotations

import pytest

from hw.attention.score_scale import ScoreScale
from sim.runner import run_bench

LISTS = [(1, -20, 0), (40, -20, 0), (120, -15, -5), (150, -128, 128), (40, 100, 128), (36, -60, 20)]


@pytest.mark.parametrize("dot_bits", [pytest.param(31, marks=pytest.mark.slow), 39])
def test_equals_golden(dot_bits):
    unit = dict(pairs=4, dot_bits=dot_bits)
    run_bench(ScoreScale(**unit, user_layout=16), "tests.hw.attention.score_scale_bench",
              {"unit": unit, "lists": LISTS})
