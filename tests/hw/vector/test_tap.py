"""Tap equals golden tap."""

from __future__ import annotations

import numpy as np
import pytest

from hw.vector.tap import Tap
from models.golden.scalar import constant
from models.golden.tap import neutral_tap, tap
from sim.runner import run_bench
from tests.hw.arith.scalars import as_fields, random_scalars
from tests.hw.single_table import BENCH, table
from tests.hw.vector.taps import exponents, random_tap, words

COUNT = 400


def _check(x, parameters, rho, bits, stall):
    unit = Tap(9)
    y = tap(x[None], parameters, rho[None], bits=bits)[0]
    settings = {"settings": {"rho": as_fields(rho), "exponents": exponents(parameters), "narrow": bits == 32}}
    elements = [{"x": value, "parameters": word, "user": n}
                for n, (value, word) in enumerate(zip(x, words(parameters), strict=True))]
    results = [{"y": value, "user": n} for n, value in enumerate(y)]
    run_bench(unit, BENCH, table(unit, settings=settings, inputs={"i": elements}, outputs={"o": results}, stall=stall))
    return y


@pytest.mark.parametrize("stall", [0.0, 0.3], ids=["free", "stalls"])
@pytest.mark.parametrize("bits", [32, 40])
def test_equals_golden(bits, stall):
    rng = np.random.default_rng([bits, int(stall > 0)])
    limit = (1 << (bits - 1)) - 1
    x = rng.integers(-limit, limit + 1, COUNT) >> rng.integers(0, bits - 2, COUNT)
    x[:4] = limit, -limit, 0, 1
    parameters = random_tap(rng, COUNT, clip_exponent=int(rng.integers(0, 20)), threshold_exponent=3, add_exponent=5)
    y = _check(x, parameters, random_scalars(rng, 8, -5, 12)[4], bits, stall)
    assert 0 < np.count_nonzero(y == 0) < COUNT


def test_rho_of_zero_and_beyond():
    rng = np.random.default_rng(4)
    x = rng.integers(-(1 << 30), 1 << 30, COUNT)
    for rho in (constant(0), constant(2.0**60)):
        _check(x, random_tap(rng, COUNT), rho, 40, 0.0)


def test_neutral_tap_changes_nothing():
    rng = np.random.default_rng(3)
    x = rng.integers(-(1 << 39) + 1, 1 << 39, COUNT)
    assert np.array_equal(_check(x, neutral_tap(COUNT), constant(12.5), 40, 0.0), x)
