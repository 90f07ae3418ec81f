# amaranth: UnusedElaboratable=no
"""Best lists: ties, extremes, lists of one and of the most entries, rows begun anew and gone on with."""

from __future__ import annotations

import numpy as np
import pytest

from hw.vector.best_list import BestList
from models.machine.build import SHORTLIST
from sim.runner import run_bench

EXTREME = 1 << 38  # the largest size of a score


def _visits(rng):
    """Visits of rows: ids ascend from visit to visit of a row."""
    def visit(row, k, scores, *, begin=1, first_id=0):
        return {"row": row, "k": k, "begin": begin, "offers": [[first_id + n, int(s)] for n, s in enumerate(scores)]}

    yield visit(0, 5, range(12))
    yield visit(1, 5, range(12, 0, -1))
    yield visit(2, 3, [4, 4, 4, 4, 5, 4, 5, 5, 5])
    yield visit(0, 5, [20, 3, 11, 11, 12], begin=0, first_id=100)
    yield visit(1, 1, [-EXTREME, EXTREME, EXTREME, 0, -1])
    yield visit(2, 3, [6, 5, 5], begin=0, first_id=2**24 - 3)
    yield visit(1, 1, [EXTREME, EXTREME - 1], begin=0, first_id=9)
    yield visit(0, 2, [-EXTREME])
    yield visit(0, 2, [], begin=0)
    yield visit(0, 2, [-EXTREME, -EXTREME, 1 - EXTREME], begin=0, first_id=7)
    yield visit(1, SHORTLIST, rng.integers(-40, 40, SHORTLIST + 30))
    yield visit(2, 7, rng.integers(-EXTREME, EXTREME + 1, 40))
    yield visit(1, SHORTLIST, rng.integers(-60, 60, 20), begin=0, first_id=1000)


def test_bench():
    run_bench(BestList(3), "tests.hw.vector.best_list_bench", {"visits": list(_visits(np.random.default_rng(1)))})


@pytest.mark.parametrize("rows", [0, 257])
def test_rows_are_checked(rows):
    with pytest.raises(ValueError, match=f"rows must be 1 to 256, got {rows}"):
        BestList(rows)
