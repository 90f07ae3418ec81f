"""Normaliser: attention's outputs from sums and totals, bit for bit."""

from __future__ import annotations

import pytest

from hw.attention.normaliser import Normaliser
from sim.runner import run_bench

GROUPS = [(1, 16, "random"), (4, 64, "random"), (3, 40, "extreme"), (2, 1, "random"), (4, 33, "small"),
          (1, 64, "extreme")]


@pytest.mark.parametrize("kv_bits", [8, 16])
def test_equals_golden(kv_bits):
    unit = dict(kv_bits=kv_bits, dim_max=64, group_max=4, sum_bits=36 + kv_bits, total_bits=33)
    run_bench(Normaliser(**unit), "sim.benches.attention.normaliser",
              {"unit": unit, "groups": GROUPS, "tokens_max": 4096})
