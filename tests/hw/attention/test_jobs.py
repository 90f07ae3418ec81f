"""JobWalk: the jobs of ATTEND commands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hw.attention.jobs import JobWalk
from hw.boards.registry import BUILDS
from sim.runner import run_bench

COMMANDS = [(1, 1, 1, 0, 0), (16, 16, 9, 3, 127), (20, 5, 2, 0, 4000), (6, 3, 5, 1, 17), (8, 1, 3, 0, 5), (5, 1, 1,
                                                                                                           15, 9),
            (12, 4, 16, 0, 100), (6, 1, 2, 2, 30), (7, 7, 4, 0, 1)]


@pytest.mark.parametrize("pairs", [4, *(pytest.param(pairs, marks=pytest.mark.slow) for pairs in (1, 2))])
def test_all_pairs_once(pairs):
    build = replace(BUILDS["kv260"], attention_pairs=pairs)
    run_bench(JobWalk(build), "tests.hw.attention.jobs_bench", {"pairs": pairs, "commands": COMMANDS})
