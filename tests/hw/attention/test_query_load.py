# amaranth: UnusedElaboratable=no
"""Query load: jobs of every shape, heads of one word and of several."""

from __future__ import annotations

import numpy as np
import pytest

from hw.attention.query_load import QueryLoad
from models.machine.scalar_format import word as memory_word
from sim.runner import run_bench
from tests.hw.arith.scalars import random_scalars

ROWS, HEADS = 4, 8
SHAPES = [(4, 1), (1, 1), (1, 4), (2, 2), (3, 1), (2, 1), (1, 3)]  # heads, rows


@pytest.mark.parametrize(("pairs", "word", "dim"), [(4, 16, 16), (4, 16, 40), *(
    pytest.param(*other, marks=pytest.mark.slow) for other in ((1, 4, 24), (2, 8, 40)))])
def test_bench(pairs, word, dim):
    rng = np.random.default_rng(dim)
    jobs = [{"last": int(rng.integers(2)), "kv_head": int(rng.integers(256)), "tokens": int(rng.integers(1 << 16)),
             "head": rng.integers(HEADS - heads + 1), "row": rng.integers(ROWS - rows + 1),
             "heads_last": heads - 1, "rows_last": rows - 1} for heads, rows in SHAPES if heads * rows <= pairs]
    scales = random_scalars(rng, ROWS * HEADS, -40, 40)
    unit = dict(pairs=pairs, words=48 // word, word=word)
    run_bench(QueryLoad(**unit, rows=ROWS, heads=HEADS), "tests.hw.attention.query_load_bench", {
        "unit": unit, "dim": dim, "jobs": jobs, "score_constant": memory_word(0.18),
        "queries": rng.integers(-32768, 32768, (ROWS, HEADS, 48)),
        "scales": {"m": scales.m.reshape(ROWS, HEADS), "e": scales.e.reshape(ROWS, HEADS)}})
