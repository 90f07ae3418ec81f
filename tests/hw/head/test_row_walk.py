# amaranth: UnusedElaboratable=no
"""Row walk: whole blocks and parts, rows of one beat and of the most, listed rows, stalls."""

from __future__ import annotations

from dataclasses import replace

from hw.boards.registry import BUILDS
from hw.head.row_walk import RowWalk
from sim.runner import run_bench

BUILD = replace(BUILDS["sim-tiny"], ports=1, hidden_max=64)


def test_bench():
    commands = [[vocab, count, listed] for listed in (0, 1) for vocab, count in (
        (1, 1), (4, 16), (5, 17), (7, 64), (8, 16), (2, 33), (13, 48))]
    commands += [[3, 32, 0], [3, 20, 1], [6, 16, 0]]
    run_bench(RowWalk(BUILD), "tests.hw.head.row_walk_bench", {"beat_bytes": BUILD.beat_bytes, "commands": commands})
