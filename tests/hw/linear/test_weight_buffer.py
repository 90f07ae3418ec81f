# amaranth: UnusedElaboratable=no
"""Weight buffer: tiles given once and again, tiles that fill it, stalls."""

import pytest

from hw.linear.weight_buffer import WeightBuffer
from sim.runner import run_bench

ONCE = [[16, 3, 1], [5, 7, 1], [1, 1, 1], [40, 4, 1]]
AGAIN = [[16, 3, 2], [32, 2, 2], [3, 9, 3], [1, 20, 2], [7, 5, 1], [31, 4, 4]]  # 32 fill it


def test_bench():
    plans = {"once": ONCE, "again": AGAIN}
    run_bench(WeightBuffer(20, 32, 4), "tests.hw.linear.weight_buffer_bench", {
        "width": 20, "depth": 32, "plans": {name: [[4 * steps, tiles, batches] for steps, tiles, batches in plan]
                               for name, plan in plans.items()}})


@pytest.mark.parametrize("depth", [8, 48])
def test_parameters(depth):
    with pytest.raises(ValueError, match=f"depth must be a power of two from 16, got {depth}"):
        WeightBuffer(8, depth, 4)
