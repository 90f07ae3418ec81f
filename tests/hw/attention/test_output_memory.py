"""OutputMemory: alignment of the heads' exponents."""

from __future__ import annotations

from hw.attention.output_memory import OutputMemory
from sim.runner import run_bench

CASES = [(1, 4, 1), (1, 64, 1), (8, 8, 30), (5, 12, 256), (4, 16, 4), (2, 4, 13)]


def test_aligned_rows():
    unit = dict(rows=2, channels=64, groups=8)
    run_bench(OutputMemory(**unit), "tests.hw.attention.output_memory_bench", {"unit": unit, "cases": CASES})
