# amaranth: UnusedElaboratable=no
"""HeadQuant equals golden head_quant."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hw.vector.head_quant import HeadQuant
from models.golden.head_quant import head_quant
from models.golden.scalar import constant, mul
from models.machine.build import LANES
from sim.runner import run_bench
from tests.hw.arith.scalars import as_fields
from tests.hw.single_table import BENCH, table
from tests.hw.vector.shared_units import WithSharedUnits


def _heads(rng: np.random.Generator, dim: int) -> np.ndarray:
    """Heads of zeros, of one extreme value, of extremes, of one unit, and random ones of several sizes."""
    limit = (1 << 29) - 1
    x = rng.integers(-limit, limit + 1, (1, 7, dim)) >> rng.integers(0, 29, (1, 7, 1))
    x[0, 1], x[0, 2], x[0, 3], x[0, 4] = 0, limit, rng.choice([-limit, limit], dim), 0
    x[0, 2, 1:] = 0
    x[0, 4, -1] = -1
    return x


@pytest.mark.parametrize("stall", [0.0, 0.3], ids=["free", "stalls"])
@pytest.mark.parametrize(("kv_bits", "cached", "dim"), [
    (8, 1, 64), (8, 0, 64), (8, 0, 24), (8, 1, 8), (16, 1, 24), (16, 0, 24)])
def test_equals_golden(kv_bits, cached, dim, stall):
    bits = kv_bits if cached else 16
    x = _heads(np.random.default_rng([bits, dim]), dim)
    scale = constant(3.7e-6)
    q, steps = head_quant(x, scale[None], bits)
    words, rng = dim // LANES, np.random.default_rng(bits)
    unit = WithSharedUnits(HeadQuant(64, kv_bits=kv_bits))
    channels = [{"x": head[n * LANES:][:LANES], "index": n, "last": place == words - 1}
                for head in x[0] for place, n in enumerate(rng.permutation(words))]
    results = [{"values": head[n:n + LANES], "last": n + LANES == dim} for head in q[0] for n in range(0, dim, LANES)]
    scales = [as_fields(steps[0, head]) for head in range(x.shape[1])]
    over_levels = mul(scale, constant(Fraction(1, (1 << (bits - 1)) - 1)))
    settings = {"scale": as_fields(over_levels), "cached": cached, "words": words}
    run_bench(unit, BENCH, table(unit, settings=settings, inputs={"i": channels},
                                 outputs={"o": results, "o_scale": scales}, stall=stall))


def test_dim_is_checked():
    with pytest.raises(ValueError, match="^dim_max must be a multiple of 4, got 0$"):
        HeadQuant(0, kv_bits=8)
