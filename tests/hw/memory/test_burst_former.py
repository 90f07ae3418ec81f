# amaranth: UnusedElaboratable=no
"""Burst former: bursts of one beat to sixteen, users with and without gaps, a way to memory that stalls."""

from __future__ import annotations

import numpy as np

from hw.memory.burst_former import BurstFormer
from sim.runner import run_bench


def test_bench():
    lengths = [1, 16, 16, 1, 1, 1, 2, 15, *np.random.default_rng(1).integers(1, 17, 24)]
    run_bench(BurstFormer(), "tests.hw.memory.burst_former_bench", {"lengths": lengths})
