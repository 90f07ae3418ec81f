"""Attention against rational arithmetic and against the float softmax."""

from fractions import Fraction

import numpy as np
import pytest

from models.golden.attention import attention, exp2_negative
from models.golden.scalar import Scalar, log2_e_over_root, to_float
from tests.models.golden.oracle import clip, round_half_even, scale, truncate, value


def exact_exp2(delta: int) -> int:
    coarse = round(2.0 ** (20 - (delta >> 6 & 63) / 64))
    fine = round(2.0 ** (20 - (delta & 63) / 4096))
    return round_half_even(Fraction(coarse * fine, 2 ** (20 + (delta >> 12))))


def test_exp2_over_its_range():
    deltas = np.r_[0:9000, 4096 * 19:4096 * 23:7, 2**20, 2**32]
    assert exp2_negative(deltas).tolist() == [exact_exp2(int(d)) for d in deltas]
    assert np.abs(exp2_negative(deltas) - 2.0 ** (20 - deltas / 4096)).max() <= 2


def reference(q, q_scale, keys, key_scales, values, value_scales, constant, bits):
    heads, group = q.shape[0], q.shape[0] // keys.shape[0]
    fraction, drop = 20 - (bits - 1), bits - 3
    out, exponents = [], []
    for h in range(heads):
        g = h // group
        n = keys.shape[1]
        unit = truncate(value(q_scale[h]) * value(constant))
        score = []
        for t in range(n):
            ks = value(key_scales[g][t])
            dot = sum(int(a) * int(b) for a, b in zip(q[h], keys[g, t], strict=True))
            score.append(scale(dot, truncate(unit * ks) * 4096 if ks and unit else Fraction(0)))
        p = [exact_exp2(max(score) - s) for s in score]
        es = [int(value_scales.e[g][t]) if value_scales.m[g][t] else -128 for t in range(n)]
        top = max(es)
        w = [round_half_even(Fraction(p[t] * int(value_scales.m[g][t]), 2 ** (20 + min(max(top - es[t], 0), 40))))
             for t in range(n)]
        reciprocal = truncate(1 / truncate(Fraction(sum(p))))
        row = []
        for d in range(q.shape[1]):
            total = round_half_even(Fraction(sum(w[t] * int(values[g, t, d]) for t in range(n)), 2**drop))
            row.append(clip(round_half_even(Fraction(total) * reciprocal * 2 ** (fraction + drop)), 32))
        out.append(row)
        if h % group == 0:
            exponents.append(top - 3 - fraction)
    return np.array(out), np.array(exponents)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("heads,kv_heads,dim,n,spread", [(1, 1, 8, 1, 0), (4, 2, 16, 17, 2), (6, 1, 12, 40, 30)])
def test_equals_rational_arithmetic(bits, heads, kv_heads, dim, n, spread):
    rng = np.random.default_rng(n)
    limit = (1 << (bits - 1)) - 1
    q = rng.integers(-32767, 32768, (heads, dim))
    keys, values = (rng.integers(-limit, limit + 1, (kv_heads, n, dim)) for _ in range(2))

    def scales(shape, centre):
        return Scalar(rng.integers(1 << 23, 1 << 24, shape), centre + rng.integers(-spread, spread + 1, shape))

    arguments = (q, scales((heads,), -14), keys, scales((kv_heads, n), 2 - bits), values, scales((kv_heads, n), -7),
                 log2_e_over_root(dim))
    out, exponents = attention(*arguments, kv_bits=bits)
    expected, expected_exponents = reference(*arguments, bits)
    assert (out == expected).all()
    assert (exponents == expected_exponents).all()


def test_follows_the_float_softmax():
    rng = np.random.default_rng(5)
    dim, n = 32, 50
    q, keys, values = rng.integers(-32767, 32768, (1, dim)), *(rng.integers(-127, 128, (1, n, dim)) for _ in range(2))
    one = Scalar(np.full((1, n), 1 << 23), np.full((1, n), -6))
    q_scale = Scalar(np.array([1 << 23]), np.array([-14]))
    out, exponents = attention(q, q_scale, keys, one, values, one, log2_e_over_root(dim))
    score = (keys[0] * 2.0**-6) @ (q[0] * 2.0**-14) / np.sqrt(dim)
    p = np.exp(score - score.max())
    expected = p / p.sum() @ (values[0] * to_float(one)[0][:, None])
    assert np.allclose(out[0] * 2.0 ** exponents[0], expected, atol=2e-3 * np.abs(expected).max())


def test_tokens_with_a_zero_value_scale_count_in_the_sum_alone():
    q, keys = np.full((1, 4), 100), np.ones((1, 2, 4), np.int64)
    values = np.full((1, 2, 4), 64)
    unit = Scalar(np.array([1 << 23]), np.array([-10]))
    scales = Scalar(np.full((1, 2), 1 << 23), np.full((1, 2), -6))
    half = Scalar(np.array([[1 << 23, 0]]), np.array([[-6, 0]]))
    full, e = attention(q, unit, keys, scales, values, scales, log2_e_over_root(4))
    part, e2 = attention(q, unit, keys, scales, values, half, log2_e_over_root(4))
    assert (part * 2 == full).all() and (e == e2).all()
