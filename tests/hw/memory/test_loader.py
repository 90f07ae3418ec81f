"""Loader against a memory of beats."""

from hw.memory.loader import Loader
from sim.runner import run_bench


def test_bench():
    run_bench(Loader(), "sim.benches.memory.loader")
