# amaranth: UnusedElaboratable=no
"""Beat FIFO against a list."""

import pytest

from hw.stream.deep_queue import DeepQueue
from sim.runner import run_bench


def test_bench():
    run_bench(DeepQueue(24, 16), "tests.hw.stream.deep_queue_bench", {"depth": 16})


@pytest.mark.parametrize("depth", [8, 48])
def test_depth_is_a_power_of_two(depth):
    with pytest.raises(ValueError, match=f"power of two from 16, got {depth}"):
        DeepQueue(24, depth)
