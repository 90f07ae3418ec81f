# amaranth: UnusedElaboratable=no
"""Top k: ties, fewer candidates than k, rising and falling ones, rows mixed, extremes."""

from __future__ import annotations

import numpy as np
import pytest

from hw.head.top_k import TopK
from sim.runner import run_bench

LARGEST, SMALLEST = 2**31 - 1, -(2**31) + 1  # logits saturate there


def _case(k, rows, candidates):
    return {"k": k, "rows": rows, "candidates": [[int(v) for v in candidate] for candidate in candidates]}


def _cases(k_max, rows, rng):
    """Candidates are (row, id, value), in any order."""
    ids = rng.permutation(3 * k_max)
    yield _case(k_max, rows, [(n % rows, n, n) for n in range(3 * k_max)])
    yield _case(k_max, rows, [(n % rows, n, -n) for n in range(3 * k_max)])
    yield _case(k_max, 1, [(0, id, 7) for id in ids])
    yield _case(k_max, rows, [(id % rows, id, id // 5) for id in ids])
    yield _case(1, rows, [(id % rows, id, rng.integers(-3, 3)) for id in ids])
    yield _case(k_max, rows, [])
    yield _case(max(k_max - 1, 1), rows, [(0, 2**24 - 2, SMALLEST), (rows - 1, 0, LARGEST), (0, 3, SMALLEST),
                                          (0, 2, LARGEST), (0, 1, LARGEST), (0, 9, 0), (0, 8, -1)])
    for k in (k_max, int(rng.integers(1, k_max + 1))):
        size = int(rng.integers(1, 60))
        ids = rng.choice(1 << 24, size, replace=False)
        yield _case(k, int(rng.integers(1, rows + 1)), [
            (rng.integers(rows), id, rng.choice([rng.integers(SMALLEST, LARGEST + 1), rng.integers(-2, 3)]))
            for id in ids])


@pytest.mark.parametrize(("rows", "k_max"), [(3, 8), pytest.param(1, 1, marks=pytest.mark.slow)])
def test_bench(rows, k_max):
    cases = list(_cases(k_max, rows, np.random.default_rng(k_max)))
    run_bench(TopK(rows, k_max), "tests.hw.head.top_k_bench", {"cases": cases})


@pytest.mark.parametrize(("rows", "k_max"), [(0, 1), (257, 1), (1, 0), (1, 129)])
def test_sizes_are_checked(rows, k_max):
    with pytest.raises(ValueError, match=f"k_max must be 1 to 128 and rows 1 to 256, got {k_max} and {rows}"):
        TopK(rows, k_max)
