"""WeightedSum: exact sums for both widths of values."""

from __future__ import annotations

import pytest

from hw.attention.weighted_sum import WeightedSum
from sim.runner import run_bench

PASSES = [(1, False), (2, True), (90, False), (100, True), (95, False), (3, False)]


@pytest.mark.parametrize("stall", [0.0, 0.4], ids=["free", "stalls"])
@pytest.mark.parametrize(("kv_bits", "parts"), [(8, 2), (8, 1), (16, 2)])
def test_exact_sums(kv_bits, parts, stall):
    unit = dict(kv_bits=kv_bits, chunk_bits=256, parts=parts, context_max=256)
    run_bench(WeightedSum(**unit), "sim.benches.attention.weighted_sum", {"unit": unit, "passes": PASSES,
                                                                          "stall": stall})


def test_kv_bits_are_8_or_16():
    with pytest.raises(ValueError, match="^kv_bits must be 8 or 16, got 4$"):
        WeightedSum(kv_bits=4, chunk_bits=256, parts=2, context_max=16)
