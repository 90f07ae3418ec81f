"""The memory system behind AXI memories with stalls, latencies, errors and stops."""

from dataclasses import asdict, replace

import pytest

from hw.boards.registry import BUILDS
from hw.boards.technology import ECP5, ULTRASCALE_PLUS
from hw.memory.system import MemorySystem
from sim.runner import run_bench

DRAIN = 100  # more than the latencies in the bench, with room


@pytest.mark.parametrize("bench", ["system_bench", "system_trouble_bench"])
@pytest.mark.parametrize(("ports", "technology"), [
    (4, ULTRASCALE_PLUS), (1, ECP5), pytest.param(1, ULTRASCALE_PLUS, marks=pytest.mark.slow),
    pytest.param(2, ULTRASCALE_PLUS, marks=pytest.mark.slow)], ids=["4", "1 of an ECP5", "1", "2"])
def test_bench(ports, technology, bench):
    build = replace(BUILDS["sim-tiny"], ports=ports)
    run_bench(MemorySystem(build, drain_cycles=DRAIN), f"tests.hw.memory.{bench}",
              {"build": asdict(build), "drain": DRAIN}, technology=technology)
