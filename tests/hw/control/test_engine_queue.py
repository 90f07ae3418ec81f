# amaranth: UnusedElaboratable=no
"""Engine queue against the order of its events."""

import pytest

from hw.control.engine_queue import EngineQueue
from sim.runner import run_bench


@pytest.mark.parametrize("beats", [1, 2, 4])
def test_bench(beats):
    holds = 4 if beats == 1 else (16 + 2) // beats + 1  # in parts: the memory's least depth, and registers behind it
    run_bench(EngineQueue(depth=4, beats=beats), "tests.hw.control.engine_queue_bench",
              {"beats": beats, "holds": holds})


def test_parameters():
    with pytest.raises(ValueError, match="depth must be positive, got 0"):
        EngineQueue(depth=0)
