# amaranth: UnusedElaboratable=no
"""Rope equals golden rope."""

from __future__ import annotations

import numpy as np
import pytest

from hw.vector.rope import Rope
from models.golden.rope import rope
from models.machine.build import LANES
from models.machine.tables import rope_table
from sim.runner import run_bench
from tests.hw.single_table import BENCH, table

DIM_MAX, HEADS = 64, 4


@pytest.mark.parametrize("stall", [0.0, 0.3], ids=["free", "stalls"])
@pytest.mark.parametrize("rotate", [True, False], ids=["", "plain"])
@pytest.mark.parametrize(("dim", "row"), [(64, 1), (64, 0), (24, 2), (8, 1)])
def test_equals_golden(dim, row, rotate, stall):
    rng = np.random.default_rng([dim, row])
    angles = rope_table(10000.0, dim, 400)[rng.integers(0, 400, 3)]
    x = rng.integers(-(1 << 23) + 1, 1 << 23, (1, HEADS, dim))
    x[0, 0], x[0, 1, ::2] = (1 << 23) - 1, -(1 << 23) + 1
    rotated = rope(x, angles[row:row + 1]) if rotate else x
    unit, words = Rope(DIM_MAX, rows=3), dim // LANES
    table_words = [{"index": n, "angles": part} for n, part in enumerate(angles.reshape(-1, LANES))]
    heads = [{"x": part, "last": (n + 1) % words == 0} for n, part in enumerate(x.reshape(-1, LANES))]
    order = [first + second for first in range(words // 2) for second in (0, words // 2)]
    results = [{"x": head[n * LANES:][:LANES], "index": n, "last": n == words - 1}
               for head in rotated[0] for n in order]
    settings = {"words": words, "rotate": rotate, "table_base": row * words, "room": 1}
    run_bench(unit, BENCH, table(unit, settings=settings, inputs={"i_table": table_words, "i": heads},
                                 outputs={"o": results}, first="i_table", stall=stall))


@pytest.mark.parametrize(("dim_max", "rows", "message"), [
    (60, 1, "dim_max must be a multiple of 8, got 60"), (64, 0, "rows must be positive, got 0")])
def test_parameters_are_checked(dim_max, rows, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Rope(dim_max, rows)
