# amaranth: UnusedElaboratable=no
"""Rope equals golden rope."""

from __future__ import annotations

import numpy as np
import pytest

from hw.vector.rope import Rope
from models.golden.rope import rope
from models.machine.tables import rope_table
from tests.hw.stream_table import Case, check

DIM_MAX, HEADS = 64, 4


def _case(lanes: int, dim: int, row: int, rotate: bool) -> Case:
    rng = np.random.default_rng([dim, row])
    angles = rope_table(10000.0, dim, 400)[rng.integers(0, 400, 3)]
    x = rng.integers(-(1 << 23) + 1, 1 << 23, (1, HEADS, dim))
    x[0, 0], x[0, 1, ::2] = (1 << 23) - 1, -(1 << 23) + 1
    rotated = rope(x, angles[row:row + 1]) if rotate else x
    words = dim // lanes
    table_words = [{"index": n, "angles": part} for n, part in enumerate(angles.reshape(-1, lanes))]
    heads = [{"x": part, "last": (n + 1) % words == 0} for n, part in enumerate(x.reshape(-1, lanes))]
    order = [first + second for first in range(words // 2) for second in (0, words // 2)]
    results = [{"x": head[n * lanes:][:lanes], "index": n, "last": n == words - 1}
               for head in rotated[0] for n in order]
    settings = {"words": words, "rotate": rotate, "table_base": row * words, "room": 1}
    return Case(f"{dim} channels, row {row}{'' if rotate else ', plain'}", settings=settings,
                inputs=[{"i_table": table_words}, {"i": heads}], outputs={"o": results})


@pytest.mark.parametrize("lanes", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_equals_golden(lanes):
    check(Rope(DIM_MAX, rows=3, lanes=lanes), [
        _case(lanes, dim, row, rotate) for dim, row in [(64, 1), (64, 0), (24, 2), (8, 1)] for rotate in (True, False)])


@pytest.mark.parametrize(("dim_max", "rows", "message"), [
    (60, 1, "dim_max must be a multiple of 8, got 60"), (64, 0, "rows must be positive, got 0")])
def test_parameters_are_checked(dim_max, rows, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Rope(dim_max, rows, lanes=4)
