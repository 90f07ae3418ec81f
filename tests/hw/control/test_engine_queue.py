# amaranth: UnusedElaboratable=no
"""Engine queue against the order of its events."""

import pytest

from hw.control.engine_queue import EngineQueue
from sim.runner import run_bench


def test_bench():
    run_bench(EngineQueue(depth=4), "tests.hw.control.engine_queue_bench", {"depth": 4})


def test_parameters():
    with pytest.raises(ValueError, match="depth must be positive, got 0"):
        EngineQueue(depth=0)
