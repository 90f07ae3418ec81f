# amaranth: UnusedElaboratable=no
"""QueryMemory: addressing of rows, heads and elements."""

from __future__ import annotations

import pytest

from hw.attention.query_memory import QueryMemory
from sim.runner import run_bench


@pytest.mark.parametrize(("lanes", "rows", "heads", "dim_max", "places", "shapes"), [
    pytest.param(1, 1, 5, 48, 32, [(5, 48)], marks=pytest.mark.slow),
    pytest.param(2, 4, 3, 64, 16, [(3, 64)], marks=pytest.mark.slow),
    (4, 2, 8, 128, 16, [(8, 32), (2, 128), (4, 64), (7, 16)])])
@pytest.mark.parametrize("word", [16, *(pytest.param(word, marks=pytest.mark.slow) for word in (4, 8))])
def test_written_and_read(lanes, rows, heads, dim_max, places, shapes, word):
    unit = dict(rows=rows, heads=heads, dim_max=dim_max, places=places, lanes=lanes, word=word)
    run_bench(QueryMemory(**unit), "tests.hw.attention.query_memory_bench", {"unit": unit, "shapes": shapes})


def test_places_must_suit():
    with pytest.raises(ValueError, match="^128 places do not suit 8 heads of 8 words$"):
        QueryMemory(rows=1, heads=8, dim_max=128, places=128, lanes=4)
