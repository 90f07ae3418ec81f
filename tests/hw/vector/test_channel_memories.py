# amaranth: UnusedElaboratable=no
"""Channel memories: every target's loads, residual words written meanwhile, gains that are held."""

from __future__ import annotations

import pytest

from hw.vector.channel_memories import ChannelMemories
from models.machine.build import LANES
from sim.runner import run_bench


def test_bench():
    words = 6
    run_bench(ChannelMemories(12, words * LANES - 1), "tests.hw.vector.channel_memories_bench",
              {"residual_words": 12, "words": words, "cycles": 1500})


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="sizes must be positive, got 0 and 4"):
        ChannelMemories(0, 4)
