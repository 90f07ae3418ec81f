# amaranth: UnusedElaboratable=no
"""Weight buffer with ports at different paces."""

import pytest

from hw.memory.weight_buffer import WeightBuffer
from sim.runner import run_bench


def test_bench():
    run_bench(WeightBuffer(2, 16), "sim.benches.memory.weight_buffer", {"ports": 2, "depth": 16})


def test_parameters():
    with pytest.raises(ValueError, match="ports must be positive, got 0"):
        WeightBuffer(0, 16)
