# amaranth: UnusedElaboratable=no
"""Channel memories: every target's loads, residual words written meanwhile, gains that are held."""

from __future__ import annotations

import pytest

from hw.vector.channel_memories import ChannelMemories
from sim.runner import run_bench


@pytest.mark.parametrize("lanes", [4, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_bench(lanes):
    words = 24 // lanes
    run_bench(ChannelMemories(12, words * lanes - 1, lanes), "tests.hw.vector.channel_memories_bench",
              {"residual_words": 12, "words": words, "cycles": 1500, "lanes": lanes})


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="sizes must be positive, got 0 and 4"):
        ChannelMemories(0, 4, 4)
