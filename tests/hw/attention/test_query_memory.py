"""QueryMemory: addressing of rows, heads and elements."""

from __future__ import annotations

import pytest

from hw.attention.query_memory import QueryMemory
from sim.runner import run_bench


@pytest.mark.parametrize(("rows", "heads", "dim_max", "lanes"), [(1, 5, 48, 16), (2, 3, 64, 8)])
def test_written_and_read(rows, heads, dim_max, lanes):
    unit = dict(rows=rows, heads=heads, dim_max=dim_max, lanes=lanes)
    run_bench(QueryMemory(**unit), "sim.benches.attention.query_memory", {"unit": unit})


def test_lanes_are_a_power_of_two():
    with pytest.raises(ValueError, match="^lanes must be a power of two from 4, got 12$"):
        QueryMemory(rows=1, heads=1, dim_max=64, lanes=12)
