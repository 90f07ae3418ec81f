"""ScaleMemory: storage and the largest exponent."""

from __future__ import annotations

import pytest

from hw.attention.scale_memory import ScaleMemory
from sim.runner import run_bench

LISTS = [(1, 0.0), (1, 1.0), (2, 0.5), (3, 0.5), (4, 1.0), (5, 0.0), (64, 0.9), (63, 0.2), (9, 1.0), (17, 0.5)]


@pytest.mark.parametrize("stall", [0.0, 0.4], ids=["free", "stalls"])
def test_words_and_top(stall):
    run_bench(ScaleMemory(context_max=64), "sim.benches.attention.scale_memory", {"lists": LISTS, "stall": stall})
