# amaranth: UnusedElaboratable=no
"""Reader against a port that answers bursts at random times."""

import pytest

from hw.memory.reader import Reader
from sim.runner import run_bench


def test_bench():
    run_bench(Reader(depth=32, requests=2), "tests.hw.memory.reader_bench", {"depth": 32})


def test_parameters():
    with pytest.raises(ValueError, match="requests must be positive, got 0"):
        Reader(depth=32, requests=0)
