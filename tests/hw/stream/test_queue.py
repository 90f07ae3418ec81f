# amaranth: UnusedElaboratable=no
"""Queue, of either kind, against a list."""

from __future__ import annotations

import pytest
from amaranth.hdl import signed
from amaranth.lib import data

from hw.stream.queue import Queue
from sim.runner import run_bench

SHAPE = data.StructLayout({"value": signed(8), "last": 1})


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("buffered", [False, True], ids=["plain", "buffered"])
def test_bench(depth, buffered):
    run_bench(Queue(SHAPE, depth, buffered=buffered), "tests.hw.stream.queue_bench",
              {"depth": depth, "latency": 1 + buffered, "rate": 1 + buffered + (depth == 1)})


def test_depth_is_positive():
    with pytest.raises(ValueError, match="^depth must be positive, got 0$"):
        Queue(SHAPE, 0)
