"""Normaliser: attention's outputs from sums and totals, bit for bit."""

from __future__ import annotations

import pytest

from hw.attention.normaliser import Normaliser
from sim.runner import run_bench

JOBS = [(1, 1, 16, "random", 0), (4, 1, 64, "random", 1), (3, 1, 40, "extreme", 0), (2, 2, 8, "random", 1),
        (1, 4, 56, "small", 0), (2, 1, 64, "extreme", 0), (1, 3, 24, "random", 0)]


@pytest.mark.parametrize(("pairs", "kv_bits", "sum_lanes"), [
    (4, 8, 2), *(pytest.param(*other, marks=pytest.mark.slow) for other in ((4, 16, 2), (2, 8, 1), (1, 8, 1)))])
def test_equals_golden(pairs, kv_bits, sum_lanes):
    unit = dict(pairs=pairs, kv_bits=kv_bits, lanes=256 // kv_bits, sum_bits=36 + kv_bits, rows=8, channels=512,
                dim_max=64, sum_lanes=sum_lanes)
    jobs = [job for job in JOBS if job[0] * job[1] <= pairs]
    jobs += [(1, 1, 40, "extreme", 0), (1, 1, 8, "small", 1)] * (pairs == 1)
    run_bench(Normaliser(**unit), "tests.hw.attention.normaliser_bench",
              {"unit": unit, "jobs": jobs, "tokens_max": 4096})
