# amaranth: UnusedElaboratable=no
"""Table fill: tiles and batches in order, tables that wait for their user."""

from __future__ import annotations

import pytest

from hw.linear.table_fill import TableFill
from sim.runner import run_bench


def test_bench():
    words = 6
    commands = [[1, 1, 0], [3, 1, 2], [2, 4, 0], [1, 2, 1], [5, 1, 3]]
    run_bench(TableFill(words, 5 * words, batches=4), "tests.hw.linear.table_fill_bench",
              {"words": words, "commands": commands})


def test_words_are_checked():
    with pytest.raises(ValueError, match="a tile has at least one word, got 0"):
        TableFill(0, 8)
