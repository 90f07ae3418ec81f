"""Stream router with and without stalls."""

import pytest

from hw.memory.stream_router import StreamRouter
from sim.runner import run_bench


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_bench(stall):
    run_bench(StreamRouter(32), "tests.hw.memory.stream_router_bench", {"stall": stall})
