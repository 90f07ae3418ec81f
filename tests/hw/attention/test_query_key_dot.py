"""QueryKeyDot: exact dot products for both widths of keys."""

from __future__ import annotations

import pytest

from hw.attention.query_key_dot import QueryKeyDot
from sim.runner import run_bench

GROUPS = [(1, 1, 1, False), (6, 1, 1, False), (3, 4, 4, True), (9, 3, 4, False), (5, 2, 3, False), (4, 1, 4, True)]


@pytest.mark.parametrize("stall", [0.0, 0.4], ids=["free", "stalls"])
@pytest.mark.parametrize("kv_bits", [8, 16])
def test_exact_dots(kv_bits, stall):
    unit = dict(kv_bits=kv_bits, dim_max=64 * 8 // kv_bits, group_max=4)
    run_bench(QueryKeyDot(**unit), "sim.benches.attention.query_key_dot",
              {"unit": unit, "groups": GROUPS, "stall": stall})


def test_kv_bits_are_8_or_16():
    with pytest.raises(ValueError, match="^kv_bits must be 8 or 16, got 12$"):
        QueryKeyDot(kv_bits=12, dim_max=64, group_max=4)
