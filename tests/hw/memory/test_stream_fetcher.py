# amaranth: UnusedElaboratable=no
"""Stream fetcher against the layout of striped streams."""

import pytest

from hw.memory.stream_fetcher import StreamFetcher
from sim.runner import run_bench


def test_bench():
    run_bench(StreamFetcher(3, 48), "sim.benches.memory.stream_fetcher", {"ports": 3, "depth": 48})


def test_parameters():
    with pytest.raises(ValueError, match="ports must be 1 to 4, got 5"):
        StreamFetcher(5, 64)
    with pytest.raises(ValueError, match="at least a burst of 16, got 8"):
        StreamFetcher(2, 8)
