# amaranth: UnusedElaboratable=no
"""HeadQuant equals golden head_quant."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hw.vector.head_quant import HeadQuant
from models.golden.head_quant import head_quant
from models.golden.scalar import constant, mul
from tests.hw.arith.scalars import as_fields
from tests.hw.stream_table import Case, check
from tests.hw.vector.shared_units import WithSharedUnits

LANES = 4


def _heads(rng: np.random.Generator, dim: int) -> np.ndarray:
    """Heads of zeros, of one extreme value, of extremes, of one unit, and random ones of several sizes."""
    limit = (1 << 29) - 1
    x = rng.integers(-limit, limit + 1, (1, 7, dim)) >> rng.integers(0, 29, (1, 7, 1))
    x[0, 1], x[0, 2], x[0, 3], x[0, 4] = 0, limit, rng.choice([-limit, limit], dim), 0
    x[0, 2, 1:] = 0
    x[0, 4, -1] = -1
    return x


def _case(kv_bits: int, cached: bool, dim: int) -> Case:
    bits = kv_bits if cached else 16
    x = _heads(np.random.default_rng([bits, dim]), dim)
    scale = constant(3.7e-6)
    q, steps = head_quant(x, scale[None], bits)
    words, rng = dim // LANES, np.random.default_rng(bits)
    channels = [{"x": head[n * LANES:][:LANES], "index": n, "last": place == words - 1}
                for head in x[0] for place, n in enumerate(rng.permutation(words))]
    results = [{"values": head[n:n + LANES], "last": n + LANES == dim} for head in q[0] for n in range(0, dim, LANES)]
    scales = [as_fields(steps[0, head]) for head in range(x.shape[1])]
    over_levels = mul(scale, constant(Fraction(1, (1 << (bits - 1)) - 1)))
    settings = {"scale": as_fields(over_levels), "cached": cached, "words": words}
    return Case(f"{dim} channels{', cached' if cached else ''}", settings=settings, inputs={"i": channels},
                outputs={"o": results, "o_scale": scales})


@pytest.mark.parametrize(("kv_bits", "heads"), [
    (8, [(True, 64), (False, 64), (False, 24), (True, 8)]), pytest.param(
        16, [(True, 24), (False, 24)], marks=pytest.mark.slow)], ids=["8", "16"])
def test_equals_golden(kv_bits, heads):
    check(WithSharedUnits(HeadQuant(64, kv_bits=kv_bits, lanes=LANES)),
          [_case(kv_bits, cached, dim) for cached, dim in heads])


def test_dim_is_checked():
    with pytest.raises(ValueError, match="^dim_max must be a multiple of 8, got 0$"):
        HeadQuant(0, kv_bits=8, lanes=LANES)
