"""WeightedSum: exact sums for both widths of values."""

from __future__ import annotations

import pytest

from hw.attention.weighted_sum import WeightedSum
from sim.runner import run_bench

GROUPS = [(1, 1, 1, False), (5, 1, 1, False), (7, 4, 4, False), (16, 3, 2, True), (2, 2, 3, False), (16, 4, 4, True)]


@pytest.mark.parametrize("stall", [0.0, 0.4], ids=["free", "stalls"])
@pytest.mark.parametrize("kv_bits", [8, 16])
def test_exact_sums(kv_bits, stall):
    unit = dict(kv_bits=kv_bits, dim_max=64 * 8 // kv_bits, group_max=4, context_max=16)
    run_bench(WeightedSum(**unit), "sim.benches.attention.weighted_sum",
              {"unit": unit, "groups": GROUPS, "stall": stall})


def test_kv_bits_are_8_or_16():
    with pytest.raises(ValueError, match="^kv_bits must be 8 or 16, got 4$"):
        WeightedSum(kv_bits=4, dim_max=64, group_max=4, context_max=16)
