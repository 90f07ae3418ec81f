"""SlicedSum: exact sums of values that come in slices, in multipliers of 18 bits."""

from __future__ import annotations

import pytest

from hw.attention.sliced_sum import SlicedSum
from hw.boards.technology import ECP5
from sim.runner import run_bench

PASSES = [(1, False), (2, True), (40, False), (50, True), (45, False), (3, False)]


@pytest.mark.parametrize(("pairs", "kv_bits", "lanes", "slices"), [
    (1, 8, 4, 4), *(pytest.param(*other, marks=pytest.mark.slow) for other in ((2, 8, 8, 2), (2, 8, 4, 8),
                                                                               (4, 16, 4, 2)))])
def test_exact_sums(pairs, kv_bits, lanes, slices):
    unit = dict(pairs=pairs, kv_bits=kv_bits, lanes=lanes, slices=slices, context_max=256)
    run_bench(SlicedSum(**unit), "tests.hw.attention.weighted_sum_bench", {"unit": unit, "passes": PASSES},
              technology=ECP5)
