# amaranth: UnusedElaboratable=no
"""Rope equals golden rope."""

from __future__ import annotations

import numpy as np
import pytest

from hw.vector.rope import Rope
from models.golden.rope import rope
from models.machine.tables import rope_table
from sim.benches.arith.stream_table import BENCH, table
from sim.runner import run_bench

DIM_MAX, HEADS = 64, 4


@pytest.mark.parametrize("stall", [0.0, 0.3], ids=["free", "stalls"])
@pytest.mark.parametrize(("dim", "row"), [(64, 1), (64, 0), (24, 2), (2, 1)])
def test_equals_golden(dim, row, stall):
    rng = np.random.default_rng([dim, row])
    angles = rope_table(10000.0, dim, 400)[rng.integers(0, 400, 3)]
    x = rng.integers(-(1 << 23) + 1, 1 << 23, (1, HEADS, dim))
    x[0, 0], x[0, 1, ::2] = (1 << 23) - 1, -(1 << 23) + 1
    rotated = rope(x, angles[row:row + 1])
    unit = Rope(DIM_MAX, rows=3)
    words = [{"index": n, "value": value} for n, value in enumerate(angles.reshape(-1))]
    heads = [{"x": value, "last": (n + 1) % dim == 0} for n, value in enumerate(x.reshape(-1))]
    results = [{"x": value, "last": (n + 1) % dim == 0} for n, value in enumerate(rotated.reshape(-1))]
    run_bench(unit, BENCH, table(unit, settings={"dim": dim, "table_base": row * dim},
                                 inputs={"i_table": words, "i": heads}, outputs={"o": results}, first="i_table",
                                 stall=stall))


@pytest.mark.parametrize(("dim_max", "rows", "message"), [
    (63, 1, "dim_max must be even, got 63"), (64, 0, "rows must be positive, got 0")])
def test_parameters_are_checked(dim_max, rows, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Rope(dim_max, rows)
