"""QueryMemory: addressing of rows, heads and elements."""

from __future__ import annotations

import pytest

from hw.attention.query_memory import QueryMemory
from sim.runner import run_bench


@pytest.mark.parametrize(("rows", "heads", "dim_max"), [(1, 5, 48), (4, 3, 64)])
def test_written_and_read(rows, heads, dim_max):
    unit = dict(rows=rows, heads=heads, dim_max=dim_max)
    run_bench(QueryMemory(**unit), "sim.benches.attention.query_memory", {"unit": unit})
