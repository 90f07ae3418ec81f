"""WeightedSum: exact sums for both widths of values."""

from __future__ import annotations

import pytest

from hw.attention.weighted_sum import WeightedSum
from hw.boards.technology import SERIES_7, ULTRASCALE_PLUS
from sim.runner import run_bench

PASSES = [(1, False), (2, True), (90, False), (100, True), (95, False), (3, False)]


@pytest.mark.parametrize(("pairs", "kv_bits", "parts", "technology"), [
    (2, 8, 2, ULTRASCALE_PLUS), pytest.param(4, 8, 2, ULTRASCALE_PLUS, marks=pytest.mark.slow),
    pytest.param(4, 8, 1, ULTRASCALE_PLUS, marks=pytest.mark.slow),
    pytest.param(4, 16, 2, ULTRASCALE_PLUS, marks=pytest.mark.slow), pytest.param(
        2, 8, 2, SERIES_7, marks=pytest.mark.slow)])
def test_exact_sums(pairs, kv_bits, parts, technology):
    unit = dict(pairs=pairs, kv_bits=kv_bits, chunk_bits=256, parts=parts, context_max=256)
    run_bench(WeightedSum(**unit), "tests.hw.attention.weighted_sum_bench",
              {"unit": unit, "passes": PASSES},
              technology=technology)


def test_kv_bits_are_8_or_16():
    with pytest.raises(ValueError, match="^kv_bits must be 8 or 16, got 4$"):
        WeightedSum(pairs=4, kv_bits=4, chunk_bits=256, parts=2, context_max=16)
