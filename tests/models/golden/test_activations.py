"""Activation functions against rational arithmetic, and against their float definitions."""

import hashlib
from decimal import Decimal, getcontext
from fractions import Fraction
from math import floor, isqrt

import numpy as np
import pytest

from models.golden.activations import (
    BELL_TABLE,
    COS_TABLE,
    activated_product,
    ash,
    crrelu,
    multiplied,
    soft_threshold,
    x_cos,
)
from models.golden.gated import gated_product, sigmoid
from models.golden.scalar import Scalar, constant, to_float
from tests.models.golden.oracle import clip, random_scalar, round_half_even, scale, truncate, value

getcontext().prec = 60
DIM = 64


def rows_of(unit, count):
    return Scalar(np.full(count, unit.m), np.full(count, unit.e))


def between(table, at, bits):
    segment, rest = divmod(Fraction(at, 2**bits), 1)
    return floor(int(table[segment]) + (int(table[segment + 1]) - int(table[segment])) * rest + Fraction(1, 2))


@pytest.fixture(params=[-22, -12, -3])
def gates(request):
    """Gate sums [4, 64], among them equal ones and the largest, and their unit."""
    rng = np.random.default_rng(3)
    gate = rng.integers(-(2**20) + 1, 2**20, (4, DIM)) >> np.array([0, 4, 9, 0])[:, None]
    gate[3] = 2**20 - 1
    gate[0, :3] = 0, 1 - 2**20, 2**20 - 1
    return gate, random_scalar(rng, request.param, request.param)


def test_tables_are_the_nearest_and_the_same_everywhere():
    assert BELL_TABLE.tolist() == [round((-(Decimal(i) / 128) ** 2 / 2).exp() * 2**16) for i in range(1025)]
    assert COS_TABLE[[0, 256, 512, 768, 1024]].tolist() == [65536, 0, -65536, 0, 65536]
    digests = [hashlib.sha256(table.astype("<i8").tobytes()).hexdigest()[:16] for table in (BELL_TABLE, COS_TABLE)]
    assert digests == ["d4b111e19afce14d", "a5cff114a3c8d856"]


@pytest.mark.parametrize("alpha, z", [(0.5, 0), (1.7, 5000), (-0.3, -32767), (0.0, 1)])
def test_ash_equals_rational_arithmetic(gates, alpha, z):
    gate, unit = gates
    found = ash(gate, rows_of(unit, 4), alpha, z)
    coefficient = value(constant(2 * abs(Fraction(alpha)) / DIM))
    factor = truncate(value(unit) * coefficient) if alpha else Fraction(0)
    for row, got in zip(gate.tolist(), found.tolist(), strict=True):
        total = sum(row)
        root = isqrt(DIM * sum(g * g for g in row) - total**2)
        threshold = total + round_half_even(Fraction(z * root, 2**12))
        t = [scale(DIM * g - threshold, factor * 2**14, 19) * (1 if alpha >= 0 else -1) for g in row]
        assert got == sigmoid(np.array(t)).tolist()


@pytest.mark.parametrize("z", [0, 5755, -3000, 32767])
def test_the_soft_threshold_equals_rational_arithmetic(gates, z):
    gate, _ = gates
    for row, got in zip(gate.tolist(), soft_threshold(gate, z).tolist(), strict=True):
        total = sum(row)
        root = isqrt(DIM * sum(g * g for g in row) - total**2)
        t = scale(total + round_half_even(Fraction(z * root, 2**12)), value(constant(Fraction(1, DIM))), 21)
        assert got == [max(g - max(t, 0), 0) for g in row]
    assert (soft_threshold(np.array([[-9, -4, 0, 3]]), -8 * 2**12 + 1) == [0, 0, 0, 3]).all()  # zeros stay


@pytest.mark.parametrize("epsilon", [0, 655, -(2**19) + 1])
def test_crrelu_equals_rational_arithmetic(gates, epsilon):
    gate, unit = gates
    found = crrelu(gate, rows_of(unit, 4), epsilon)
    for at in np.ndindex(gate.shape):
        g = int(gate[at])
        bell = between(BELL_TABLE, scale(abs(g), value(unit) * 2**14, 18), 7)
        assert found[at] == (2**16 if g > 0 else 0) + round_half_even(Fraction(epsilon * bell, 2**16))


def test_x_cos_equals_rational_arithmetic(gates):
    gate, unit = gates
    found = x_cos(gate, rows_of(unit, 4))
    factor = truncate(value(unit) * value(constant(1 / (2 * np.pi))))
    for at in np.ndindex(gate.shape):
        assert found[at] == between(COS_TABLE, scale(int(gate[at]), factor * 2**18, 40) % 2**18, 8)


def test_the_product_is_exact_and_saturates_what_it_is_given():
    gate, up = np.array([[2**22, -(2**22), 7, 0]]), np.array([[2**22, 3, -5, 9]])
    one = rows_of(constant(0.5), 1)
    for multiplier in (2**30, -3):
        p, unit = activated_product(gate, one, up, one, lambda g, s, m=multiplier: multiplied(g, s, np.full_like(g, m)))
        m = clip(multiplier, 21)
        assert p[0].tolist() == [clip(int(g), 21) * m * clip(int(u), 21) for g, u in zip(gate[0], up[0], strict=True)]
        assert value(unit[0]) == Fraction(1, 4) / 2**16


def test_with_a_mean_of_zero_ash_is_silu():
    gate = np.arange(-500, 501)[None] * 20
    scale_, up = rows_of(constant(2.0**-11), 1), np.ones_like(gate)
    ours, theirs = (product[0] for product in (
        activated_product(gate, scale_, up, scale_, lambda g, s: multiplied(g, s, ash(g, s, 0.5, 0))),
        gated_product(gate, scale_, up, scale_, "silu")))
    assert np.abs(ours - theirs).max() <= np.abs(gate).max()  # a sigmoid's last bit


def test_they_follow_their_float_definitions():
    rng = np.random.default_rng(0)
    unit = constant(2.0**-12)
    gate = rng.integers(-30000, 30000, (3, DIM))
    x, rows = gate * to_float(unit), rows_of(unit, 3)
    mean, deviation = x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    wanted = {"ash": 1 / (1 + np.exp(-2 * 0.8 * (x - mean - 0.5 * deviation))),
              "crrelu": (x > 0) + 0.25 * np.exp(-(x**2) / 2), "x_cos": np.cos(x)}
    found = {"ash": ash(gate, rows, 0.8, 2**11), "crrelu": crrelu(gate, rows, 2**14), "x_cos": x_cos(gate, rows)}
    for name, m in found.items():
        assert np.abs(m / 65536 - wanted[name]).max() < 4e-5, name
    passed = np.maximum(x - np.maximum(mean + 0.5 * deviation, 0), 0)
    assert np.abs(soft_threshold(gate, 2**11) * to_float(unit) - passed).max() <= 0.51 * to_float(unit)


def test_too_many_channels_for_exact_sums_are_refused():
    with pytest.raises(ValueError, match="16385 channels, at most 16384"):
        ash(np.zeros((1, 16385), np.int64), rows_of(constant(1), 1), 1.0, 0)
