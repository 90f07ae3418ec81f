"""ResidualAdd equals golden residual_add."""

from __future__ import annotations

import numpy as np
import pytest

from hw.vector.residual import ResidualAdd
from models.golden.residual import residual_add
from models.golden.scalar import constant
from sim.benches.arith.stream_table import BENCH, table
from sim.runner import run_bench
from tests.hw.arith.scalars import as_fields

COUNT = 800


@pytest.mark.parametrize("stall", [0.0, 0.3], ids=["free", "stalls"])
@pytest.mark.parametrize(("scale", "fraction_bits"), [(2.3e-3, 16), (1.7e-2, 16), (0, 16), (1e6, -12)])
def test_equals_golden(scale, fraction_bits, stall):
    rng = np.random.default_rng(fraction_bits + 100)
    limit = (1 << 31) - 1
    h = rng.integers(-limit, limit + 1, COUNT) >> rng.integers(0, 31, COUNT)
    h[:4] = limit, -limit, 0, limit
    sums = rng.integers(-(1 << 23) + 1, 1 << 23, COUNT)
    sums[:4] = 1, -1, 0, 0
    unit, scale = ResidualAdd(10), constant(scale)
    total, saturated = residual_add(h[None], sums[None], scale[None], fraction_bits)
    exact = [residual_add(h[None, n:n + 1], sums[None, n:n + 1], scale[None], fraction_bits)[1] for n in range(COUNT)]
    assert sum(exact) == saturated
    operands = [{"h": h[n], "sum": sums[n], "user": n} for n in range(COUNT)]
    results = [{"h": total[0, n], "saturated": exact[n], "user": n} for n in range(COUNT)]
    run_bench(unit, BENCH, table(unit, settings={"scale": as_fields(scale), "fraction_bits": fraction_bits},
                                 inputs={"i": operands}, outputs={"o": results}, stall=stall))
