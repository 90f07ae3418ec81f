"""The norm against rational arithmetic: every step of docs/numerics.md §4, element by element."""

from fractions import Fraction
from math import isqrt

import numpy as np
import pytest

from models.golden.norm_quant import gained, norm_constants, norm_quant
from models.golden.scalar import Scalar, constant, to_float
from models.golden.tap import neutral_tap
from tests.models.golden.oracle import random_scalar, round_half_even, scale, truncate, value

ROOT_STEPS = 24


def exact_root(x: Fraction) -> Fraction:
    """The largest scalar at most sqrt(x)."""
    shift = 200
    return truncate(Fraction(isqrt(int(x * 4**shift)), 2**shift))


def reference(x, unit, gains, constants, levels):
    """One row, in fractions."""
    k = max(0, max(abs(int(v)) for v in x).bit_length() - 23)
    v = [round_half_even(Fraction(int(a) * int(g), 2**k)) for a, g in zip(x, gains, strict=True)]
    x = [round_half_even(Fraction(int(v), 2**k)) for v in x]
    unit = value(unit) * 2**k
    if constants.eps_sum is None:
        y_unit = truncate(unit * value(constants.gain))
    else:
        squares = sum(a * a for a in x)
        power = truncate(truncate(Fraction(squares)) * truncate(unit * unit)) if squares else Fraction(0)
        eps = value(constants.eps_sum)
        big, small = max(power, eps), min(power, eps)
        grid = truncate(big)
        ulp = Fraction(2) ** ((grid.numerator.bit_length() - grid.denominator.bit_length()) - 23)
        while not 2**23 <= grid / ulp < 2**24:
            ulp = ulp * 2 if grid / ulp >= 2**24 else ulp / 2
        root = exact_root(truncate(big + small // ulp * ulp))
        y_unit = truncate(truncate(unit * value(constants.gain)) / root)
    top = max(abs(a) for a in v)
    y_max = truncate(truncate(Fraction(top)) * y_unit) if top else Fraction(0)
    floor = value(constant(Fraction(1, 100_000)))
    if y_max < floor:
        multiplier = truncate(y_unit * value(constant(Fraction(levels * 100_000))))
        step = value(constant(Fraction(1, 100_000 * levels)))
    else:
        multiplier = truncate(Fraction(levels) / truncate(Fraction(top)))
        step = truncate(y_max * value(constant(Fraction(1, levels))))
    return [scale(a, multiplier, levels.bit_length() + 1) for a in v], step


def cases():
    rng = np.random.default_rng(3)
    yield "random", rng.integers(-2**20, 2**20, 64)
    yield "wide", rng.integers(-2**61, 2**61, 48)
    yield "outlier", np.r_[rng.integers(-50, 50, 63), 2**31 - 1]
    yield "zeros", np.zeros(16, np.int64)
    yield "one", np.array([-7])
    yield "ties", np.r_[2**60, (2 * rng.integers(-2**20, 2**20, 40) + 1) << 37]
    yield "lowest", np.full(8, -(2**23) - 1)


@pytest.mark.parametrize("levels", [127, 32767])
@pytest.mark.parametrize("eps", [None, 1e-5])
@pytest.mark.parametrize("name,x", list(cases()), ids=[name for name, _ in cases()])
def test_equals_rational_arithmetic(name, x, eps, levels):
    rng = np.random.default_rng(len(name))
    for exponent in (-60, -20, 0):
        unit = random_scalar(rng, exponent, exponent)
        gains = rng.integers(-32767, 32768, x.size).astype(np.int16)
        constants = norm_constants(x.size, 14, eps)
        q, step = norm_quant(x[None].astype(np.int64), Scalar(unit.m[None], unit.e[None]), gains, constants,
                             levels=levels)
        expected, expected_step = reference(x, unit, gains, constants, levels)
        assert q[0].tolist() == expected
        assert value(step[0]) == expected_step


def test_follows_the_float_definition():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 256))
    gains = rng.uniform(0.5, 2, 256)
    mantissas = np.rint(gains * 2**13).astype(np.int16)
    unit = constant(2.0**-20)
    rows = Scalar(np.broadcast_to(unit.m, 4), np.broadcast_to(unit.e, 4))
    q, step = norm_quant(np.rint(x * 2**20).astype(np.int64), rows, mantissas, norm_constants(256, 13, 1e-5))
    y = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5) * gains
    assert np.abs(q - np.rint(y * 127 / np.abs(y).max(axis=1, keepdims=True))).max() <= 1
    assert np.allclose(q * to_float(step)[:, None], y, atol=np.abs(y).max() / 120)


@pytest.mark.parametrize("name,x", list(cases()), ids=[name for name, _ in cases()])
def test_the_largest_is_known_before_the_shift(name, x):
    """max|V| = round_shift(max|X * G|, k), in Python's integers."""
    gains = np.random.default_rng(len(name)).integers(-32768, 32768, x.size)
    k = max(0, max(abs(int(a)) for a in x).bit_length() - 23)
    largest = max(abs(int(a) * int(g)) for a, g in zip(x, gains, strict=True))
    assert np.abs(gained(x.astype(np.int64), gains, np.int64(k))).max() == round_half_even(Fraction(largest, 2**k))


@pytest.mark.parametrize("bits", [20, 40, 61])
def test_a_neutral_tap_changes_no_bit(bits):
    """Also where few channels hold the largest X and small ones with large gains the largest V."""
    rng = np.random.default_rng(1)
    x, gains = rng.integers(-2**bits, 2**bits, (3, 100)), rng.integers(-32767, 32767, 100).astype(np.int16)
    x[2, 1:] >>= max(0, bits - 20)
    gains[0] = 1
    unit = Scalar(np.full(3, 1 << 23), np.full(3, -30))
    plain = norm_quant(x, unit, gains, norm_constants(100, 14, 1e-5))
    tapped = norm_quant(x, unit, gains, norm_constants(100, 14, 1e-5), tap_parameters=neutral_tap(100))
    assert (plain[0] == tapped[0]).all()
    assert (plain[1].m == tapped[1].m).all() and (plain[1].e == tapped[1].e).all()


def test_a_threshold_zeroes_the_small_and_keeps_the_large():
    from dataclasses import replace
    x = np.arange(1, 101)[None].astype(np.int64)
    unit = Scalar(np.full(1, 1 << 23), np.zeros(1, np.int64))
    rms = np.sqrt((x.astype(float)**2).mean())
    tap = replace(neutral_tap(100), threshold=np.full(100, 1 << 15, np.uint16), threshold_exponent=-15)  # one rms
    q, _ = norm_quant(x, unit, None, norm_constants(100, 0, 1e-5), tap_parameters=tap)
    assert ((q[0] == 0) == (x[0] <= rms)).all()
