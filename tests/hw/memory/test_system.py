"""The memory system behind AXI memories with stalls, latencies, errors and stops."""

from dataclasses import asdict, replace

import pytest

from hw.boards.registry import BUILDS
from hw.memory.system import MemorySystem
from sim.runner import run_bench

DRAIN = 100  # more than the latencies in the bench, with room


@pytest.mark.parametrize("bench", ["system_bench", "system_trouble_bench"])
@pytest.mark.parametrize("ports", [4, *(pytest.param(ports, marks=pytest.mark.slow) for ports in (1, 2))])
def test_bench(ports, bench):
    build = replace(BUILDS["sim-tiny"], ports=ports)
    run_bench(MemorySystem(build, drain_cycles=DRAIN), f"tests.hw.memory.{bench}",
              {"build": asdict(build), "drain": DRAIN})
