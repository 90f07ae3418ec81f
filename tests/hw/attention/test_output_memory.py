"""OutputMemory: alignment of the heads' exponents."""

from __future__ import annotations

import pytest

from hw.attention.output_memory import OutputMemory
from sim.runner import run_bench

CASES = [(1, 4, 1), (1, 64, 1), (8, 8, 30), (5, 12, 256), (4, 16, 4), (2, 4, 13)]


@pytest.mark.parametrize(("lanes", "written"), [(4, 2), (1, 2), *(pytest.param(*other, marks=pytest.mark.slow)
                                                                 for other in ((1, 1), (2, 2), (4, 1)))])
def test_aligned_rows(lanes, written):
    unit = dict(rows=2, channels=64, groups=8, lanes=lanes, written=written)
    run_bench(OutputMemory(**unit), "tests.hw.attention.output_memory_bench", {"unit": unit, "cases": CASES})
