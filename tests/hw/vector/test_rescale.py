# amaranth: UnusedElaboratable=no
"""Rescale equals golden scale_round in every channel of a word."""

from __future__ import annotations

import numpy as np

from hw.vector.rescale import Rescale
from models.golden.scalar import scale_round
from tests.hw.arith.scalars import as_fields, random_scalars
from tests.hw.stream_table import Case, check

LANES = 4


def _case(name, x, scalars, fraction):
    """x: [words, LANES]; a scalar and a fraction a word."""
    last = np.arange(len(x)) % 5 == 4
    y = np.stack([scale_round(row, a, fraction=int(f), bits=32)
                  for row, a, f in zip(x, (scalars[n] for n in range(len(x))), fraction, strict=True)])
    words = [{"x": x[n], "a": as_fields(scalars[n]), "fraction": fraction[n], "last": last[n]} for n in range(len(x))]
    return Case(name, inputs={"i": words},
                outputs={"o": [{"y": row, "last": end} for row, end in zip(y, last, strict=True)]})


def test_equals_golden():
    rng, count, limit = np.random.default_rng(1), 250, (1 << 39) - 1
    near, wide = random_scalars(rng, count, -45, 45), random_scalars(rng, count)
    x = rng.integers(-limit, limit + 1, (count, LANES)) >> rng.integers(0, 40, (count, LANES))
    x[:2] = [limit, -limit, 0, 1], [-1, 3, -3, 5]
    ties = random_scalars(rng, count, -12, 0)
    ties = ties._replace(m=np.full(count, 1 << 23))
    check(Rescale(LANES), [
        _case("usual", x, near, rng.integers(-30, 31, count)), _case("all exponents", x, wide, np.zeros(count, int)),
        _case("ties", rng.integers(-9999, 9999, (count, LANES)), ties, rng.integers(-3, 1, count)),
        _case("fractions", x[:40], near, rng.choice([-128, 127], 40)), _case("one word", x[:1], near, [5])])
