"""Normaliser: attention's outputs from sums and totals, bit for bit."""

from __future__ import annotations

import pytest

from hw.attention.normaliser import Normaliser
from sim.runner import run_bench

JOBS = [(1, 1, 16, "random", 0), (4, 1, 64, "random", 1), (3, 1, 40, "extreme", 0), (2, 2, 8, "random", 1),
        (1, 4, 56, "small", 0), (2, 1, 64, "extreme", 0), (1, 3, 24, "random", 0)]


@pytest.mark.parametrize("kv_bits", [8, pytest.param(16, marks=pytest.mark.slow)])
def test_equals_golden(kv_bits):
    unit = dict(pairs=4, kv_bits=kv_bits, lanes=256 // kv_bits, sum_bits=36 + kv_bits, rows=8, channels=512, dim_max=64)
    run_bench(Normaliser(**unit), "tests.hw.attention.normaliser_bench",
              {"unit": unit, "jobs": JOBS, "tokens_max": 4096})
