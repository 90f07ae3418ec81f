# amaranth: UnusedElaboratable=no
"""Round-robin arbiter against its rule."""

import pytest

from hw.stream.round_robin import RoundRobin
from sim.runner import run_bench


def test_bench():
    run_bench(RoundRobin(6), "tests.hw.stream.round_robin_bench", {"count": 6})


def test_parameters():
    with pytest.raises(ValueError, match="count must be positive, got 0"):
        RoundRobin(0)
