# amaranth: UnusedElaboratable=no
"""Shortlists: odd counts, ties, extremes, commands that go on with a row's list, stalls."""

from __future__ import annotations

import numpy as np
import pytest

from hw.vector.select import Select
from models.machine.build import SHORTLIST
from sim.runner import run_bench

LIMIT = 1 << 23


def _commands(rng):
    def command(row, k, sums, gains, *, begin=1, first_id=0):
        return {"row": row, "k": k, "begin": begin, "first_id": first_id, "sums": sums, "gains": gains}

    yield command(0, 4, [5], [3])
    yield command(1, 4, range(1, 22), [1] * 21)
    yield command(1, 4, [22, 3, 21, 21, 20], [1] * 5, begin=0, first_id=21)
    yield command(0, 6, [-LIMIT, LIMIT - 1, -LIMIT, LIMIT - 1, 0, -1, 1], [-32768, 32767, 32767, -32768, 7, 1, -1])
    yield command(2, 5, [2, 1, 2, 1, 4, 0, 2, 2, 4, 1, 2, 4], [2, 4, 2, 4, 1, 9, 2, 2, 1, 4, 2, 1])
    yield command(2, SHORTLIST, rng.integers(-50, 50, 90), rng.integers(-3, 4, 90), first_id=2**24 - 100)
    yield command(0, 3, rng.integers(-LIMIT, LIMIT, 43), rng.integers(-32768, 32768, 43))
    for part in range(3):
        yield command(1, 8, rng.integers(-9, 9, 18), rng.integers(1, 3, 18), begin=part == 0, first_id=18 * part)


@pytest.mark.parametrize("lanes", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_bench(lanes):
    run_bench(Select(3, lanes), "tests.hw.vector.select_bench", {"lanes": lanes, "commands": [
        {name: list(value) if name in ("sums", "gains") else value for name, value in command.items()}
        for command in _commands(np.random.default_rng(1))]})
