# amaranth: UnusedElaboratable=no
"""Accumulator memory: sums of steps in any order, both readers, idle, pace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hw.boards.registry import BUILDS
from hw.linear.accumulator import Accumulator
from sim.runner import run_bench

BUILD = replace(BUILDS["sim-tiny"], name="sixteen words", rows=2, outputs_per_step=4, accumulator_words=16)


def test_bench():
    latency, sum_bits = 4, 13
    run_bench(Accumulator(BUILD, sum_bits, latency), "tests.hw.linear.accumulator_bench",
              {"build": BUILD.to_json(), "latency": latency, "sum_bits": sum_bits})


def test_parameters():
    with pytest.raises(ValueError, match="sums must take at least 2 cycles, got 1"):
        Accumulator(BUILD, 12, 1)
    with pytest.raises(ValueError, match="accumulator_words must be even, got 15"):
        Accumulator(replace(BUILD, accumulator_words=15), 12, 3)
