# amaranth: UnusedElaboratable=no
"""Gathered queue against a list of words."""

import pytest

from hw.stream.gathered_queue import GatheredQueue
from sim.runner import run_bench


@pytest.mark.parametrize(("bits", "parts", "depth"), [(24, 4, 8), (7, 2, 3), (5, 3, 6)])
def test_bench(bits, parts, depth):
    run_bench(GatheredQueue(bits, parts, depth), "tests.hw.stream.gathered_queue_bench",
              {"bits": bits, "parts": parts, "depth": depth})


@pytest.mark.parametrize(("parts", "depth"), [(1, 8), (4, 0)])
def test_parameters(parts, depth):
    with pytest.raises(ValueError, match=f"parts must be 2 or more and depth positive, got {parts} and {depth}"):
        GatheredQueue(8, parts, depth)
