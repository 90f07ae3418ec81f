# amaranth: UnusedElaboratable=no
"""Stream fetcher against the layout of striped streams."""

import pytest

from hw.memory.stream_fetcher import StreamFetcher
from sim.runner import run_bench


@pytest.mark.parametrize("ports, depth", [
    (3, 48), *(pytest.param(*other, marks=pytest.mark.slow) for other in ((1, 64), (4, 4096)))])
def test_bench(ports, depth):
    run_bench(StreamFetcher(ports, depth), "tests.hw.memory.stream_fetcher_bench", {"ports": ports, "depth": depth})


def test_parameters():
    with pytest.raises(ValueError, match="ports must be 1 to 4, got 5"):
        StreamFetcher(5, 64)
    with pytest.raises(ValueError, match="at least a burst of 16, got 8"):
        StreamFetcher(2, 8)
