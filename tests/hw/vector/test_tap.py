"""Tap equals golden tap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.boards.technology import ECP5, ULTRASCALE_PLUS
from hw.vector.tap import Tap
from models.golden.scalar import constant
from models.golden.tap import neutral_tap, tap
from tests.hw.arith.scalars import as_fields, random_scalars
from tests.hw.stream_table import Case, check
from tests.hw.vector.taps import exponents, random_tap, words

COUNT = 400


def _case(name, x, parameters, rho, bits, *, ungained=False, mirrored=False):
    """The case, and what the tap gives."""
    sign = -1 if mirrored else 1
    used = replace(parameters, gain=np.full(x.size, 8192, np.int16)) if ungained else parameters
    y = sign * tap(sign * x[None], used, rho[None], bits=bits)[0]
    settings = {"settings": {"rho": as_fields(rho), "exponents": exponents(parameters), "narrow": bits == 32,
                             "ungained": ungained, "mirrored": mirrored}}
    elements = [{"x": value, "parameters": word, "user": n}
                for n, (value, word) in enumerate(zip(x, words(parameters), strict=True))]
    results = [{"y": value, "user": n} for n, value in enumerate(y)]
    return Case(name, settings=settings, inputs={"i": elements}, outputs={"o": results}), y


def _random(bits: int, seed: int, **switches: bool) -> Case:
    rng = np.random.default_rng([bits, seed])
    limit = (1 << (bits - 1)) - 1
    x = rng.integers(-limit, limit + 1, COUNT) >> rng.integers(0, bits - 2, COUNT)
    x[:4] = limit, -limit, 0, 1
    parameters = random_tap(rng, COUNT, clip_exponent=int(rng.integers(0, 20)), threshold_exponent=3, add_exponent=5)
    name = f"{bits} bits, seed {seed}, {', '.join(switches)}"
    case, y = _case(name, x, parameters, random_scalars(rng, 8, -5, 12)[4], bits, **switches)
    assert 0 < np.count_nonzero(y == 0) < COUNT
    return case


@pytest.mark.parametrize("technology", [ULTRASCALE_PLUS, pytest.param(ECP5, marks=pytest.mark.slow)],
                         ids=["ultrascale-plus", "ecp5"])
def test_equals_golden(technology):
    check(Tap(9), [*(_random(bits, seed) for bits in (32, 40) for seed in (0, 1)), _random(32, 2, ungained=True),
                   _random(32, 3, mirrored=True), _random(32, 4, ungained=True, mirrored=True)], technology=technology)


def test_rho_of_zero_and_beyond():
    rng = np.random.default_rng(4)
    x = rng.integers(-(1 << 30), 1 << 30, COUNT)
    check(Tap(9), [_case(f"rho {rho}", x, random_tap(rng, COUNT), constant(rho), 40)[0] for rho in (0, 2.0**60)],
          stalls=[0.0])


def test_neutral_tap_changes_nothing():
    rng = np.random.default_rng(3)
    x = rng.integers(-(1 << 39) + 1, 1 << 39, COUNT)
    case, y = _case("neutral", x, neutral_tap(COUNT), constant(12.5), 40)
    assert np.array_equal(y, x)
    check(Tap(9), [case], stalls=[0.0])
