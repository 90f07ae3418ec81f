"""Stream router with and without stalls."""

from hw.memory.stream_router import StreamRouter
from sim.runner import run_bench


def test_bench():
    run_bench(StreamRouter(32), "tests.hw.memory.stream_router_bench")
