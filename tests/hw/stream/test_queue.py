# amaranth: UnusedElaboratable=no
"""Queue, of either kind, against a list."""

from __future__ import annotations

import pytest
from amaranth.hdl import signed
from amaranth.lib import data

from hw.boards.technology import ECP5, ULTRASCALE_PLUS
from hw.stream.queue import Queue
from sim.runner import run_bench

SHAPE = data.StructLayout({"value": signed(8), "last": 1})


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize(("cycles", "technology"), [(1, ULTRASCALE_PLUS), (2, ULTRASCALE_PLUS), (3, ECP5)],
                         ids=["plain", "buffered", "buffered in a block"])
def test_bench(depth, cycles, technology):
    run_bench(Queue(SHAPE, depth, buffered=cycles > 1), "tests.hw.stream.queue_bench",
              {"depth": depth, "latency": cycles, "rate": cycles + (depth == 1)}, technology=technology)


def test_depth_is_positive():
    with pytest.raises(ValueError, match="^depth must be positive, got 0$"):
        Queue(SHAPE, 0)
