"""SeeDNorm against rational arithmetic, step by step, and against its float definition."""

from fractions import Fraction

import numpy as np
import pytest

from models.golden.norm_quant import norm_constants, normalise
from models.golden.scalar import Scalar, constant, to_float
from models.golden.seednorm import Rescaling, seednorm
from models.golden.tanh import tanh
from tests.models.golden.oracle import random_scalar, round_half_even, scale, value

DIM, EXPONENT = 48, 14


def rescaling(rng, heads=4, alpha_exponent=-14, beta_exponent=-18):
    alpha, beta = (rng.integers(-32767, 32768, DIM).astype(np.int16) for _ in range(2))
    return Rescaling(alpha, alpha_exponent, beta, beta_exponent, heads)


def exact_gains(x, unit, gains, factors):
    """The gains of one row in Python's integers, and by how many bits they were shifted."""
    k = max(0, max(abs(int(v)) for v in x).bit_length() - 23)
    small, unit = [round_half_even(Fraction(int(v), 2**k)) for v in x], value(unit) * 2**k
    width, own = DIM // factors.heads, []
    for head in range(factors.heads):
        part = range(head * width, (head + 1) * width)
        dot = sum(small[i] * int(factors.beta[i]) for i in part)
        j = max(0, abs(dot).bit_length() - 38)
        argument = scale(round_half_even(Fraction(dot, 2**j)), unit * 2**j * Fraction(2)**(factors.beta_exponent + 14),
                         18)
        turn = int(tanh(np.array(argument)))
        own += [int(gains[i]) + scale(turn * int(factors.alpha[i]),
                                      Fraction(2)**(factors.alpha_exponent + EXPONENT - 16), 40) for i in part]
    w = max(0, max(map(abs, own)).bit_length() - 15)
    return [round_half_even(Fraction(gain, 2**w)) for gain in own], w


@pytest.mark.parametrize("bits", [8, 23, 40, 61])
@pytest.mark.parametrize("alpha_exponent", [-40, -14, -9, 20])
@pytest.mark.parametrize("heads", [1, 4])
def test_equals_rational_arithmetic(bits, alpha_exponent, heads):
    rng = np.random.default_rng([bits, heads])
    x = rng.integers(-2**bits, 2**bits, (3, DIM))
    x[2] = 2**bits - 1  # the largest dot products
    gains = rng.integers(-32767, 32768, DIM).astype(np.int16)
    constants = norm_constants(DIM, EXPONENT, 1e-5)
    for beta_exponent in (-bits - 15, -bits, -bits + 20):
        factors = rescaling(rng, heads, alpha_exponent, beta_exponent)
        unit = random_scalar(rng, -2, 2)
        rows = Scalar(np.full(3, unit.m), np.full(3, unit.e))
        v, y_unit = seednorm(x, rows, gains, EXPONENT, constants, factors)
        assert np.abs(v).max() <= 2**38
        for r in range(3):
            own, w = exact_gains(x[r], unit, gains, factors)
            expected, expected_unit = normalise(x[r:r + 1], rows[r:r + 1], np.array(own), constants)
            assert (v[r] == expected[0]).all() and value(y_unit[r]) == value(expected_unit[0]) * 2**w


@pytest.mark.parametrize("bits", [8, 31, 61])
def test_without_beta_or_alpha_it_is_the_rmsnorm(bits):
    rng = np.random.default_rng(bits)
    x, gains = rng.integers(-2**bits, 2**bits, (4, DIM)), rng.integers(-32767, 32768, DIM).astype(np.int16)
    gains[0] = -32767
    unit, constants = Scalar(np.full(4, 3 << 22), np.full(4, -20)), norm_constants(DIM, EXPONENT, 1e-5)
    expected = normalise(x, unit, gains, constants)
    for nothing in ("alpha", "beta"):
        factors = rescaling(rng)._replace(**{nothing: np.zeros(DIM, np.int16)})
        v, y_unit = seednorm(x, unit, gains, EXPONENT, constants, factors)
        assert (v == expected[0]).all() and all((a == b).all() for a, b in zip(y_unit, expected[1], strict=True))


def test_follows_the_float_definition():
    rng = np.random.default_rng(0)
    x, gamma, alpha = rng.normal(size=(5, DIM)), rng.uniform(0.5, 2, DIM), rng.normal(size=DIM)
    beta, heads = rng.normal(size=DIM) / 4, 4
    unit = constant(2.0**-20)
    factors = Rescaling(np.rint(alpha * 2**13).astype(np.int16), -13, np.rint(beta * 2**14).astype(np.int16), -14,
                        heads)
    v, y_unit = seednorm(np.rint(x * 2**20).astype(np.int64), Scalar(np.full(5, unit.m), np.full(5, unit.e)),
                         np.rint(gamma * 2**EXPONENT).astype(np.int16), EXPONENT,
                         norm_constants(DIM, EXPONENT, 1e-5), factors)
    turns = np.tanh((x * beta).reshape(5, heads, -1).sum(axis=-1)).repeat(DIM // heads, axis=1)
    wanted = (turns * alpha + gamma) * x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5)
    assert np.abs(turns).max() > 0.5
    assert np.allclose(v * to_float(y_unit)[:, None], wanted, atol=3e-4 * np.abs(wanted).max())
