"""RoPE, head quantisation, gated product, residual, tap, head, ternary product against rational arithmetic."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from models.golden.gated import gated_product, sigmoid
from models.golden.head import grouped_logits, logits, top_k
from models.golden.head_quant import head_quant
from models.golden.residual import embed, residual_add
from models.golden.rope import rope
from models.golden.scalar import Scalar, constant
from models.golden.tap import NO_CLIP, Tap, neutral_tap, tap
from models.golden.ternary_matmul import grouped_matmul, ternary_matmul
from models.machine.tables import rope_table
from tests.models.golden.oracle import clip, random_scalar, round_half_even, scale, truncate, value

RNG = np.random.default_rng(11)


def row(a: Scalar) -> Scalar:
    return Scalar(np.asarray(a.m)[None], np.asarray(a.e)[None])


def test_ternary_matmul_is_a_sum_of_signed_activations():
    q, trits = RNG.integers(-127, 128, (3, 70)), RNG.integers(-1, 2, (9, 70)).astype(np.int8)
    sums = ternary_matmul(q, trits)
    for r, o in np.ndindex(sums.shape):
        assert sums[r, o] == q[r][trits[o] == 1].sum() - q[r][trits[o] == -1].sum()
    assert ternary_matmul(np.full((1, 8256), -127), np.ones((1, 8256), np.int8))[0, 0] == -127 * 8256


def grouped_case():
    """Trits [5, 384] and mantissas [5, 3], some at their limits."""
    rng = np.random.default_rng(8)
    trits, k = rng.integers(-1, 2, (5, 384)).astype(np.int8), rng.integers(0, 32768, (5, 3)).astype(np.int16)
    trits[0], k[0] = 1, 32767
    return rng, trits, k


def grouped_sum(q, trits, k):
    return sum(int(k[g]) * sum(int(x) * int(t) for x, t in zip(q[g * 128:][:128], trits[g * 128:][:128], strict=True))
               for g in range(3))


@pytest.mark.parametrize("shift", [0, 7, 12])
def test_a_product_by_group_is_one_rounding_of_an_exact_sum(shift):
    rng, trits, k = grouped_case()
    q = rng.integers(-127, 128, (4, 384))
    q[0] = 127
    found = grouped_matmul(q, trits, k, shift)
    for row, output in np.ndindex(4, 5):
        exact = Fraction(grouped_sum(q[row], trits[output], k[output]), 1 << shift)
        assert found[row, output] == clip(round_half_even(exact), 24)


def test_logits_by_group_equal_rational_arithmetic():
    rng, trits, k = grouped_case()
    q = rng.integers(-32767, 32768, (2, 384))
    q[0] = 32767
    scales, row_scales = (Scalar(rng.integers(1 << 23, 1 << 24, n), rng.integers(-30, -22, n)) for n in (2, 5))
    found = grouped_logits(q, scales, trits, k, row_scales)
    for row, word in np.ndindex(2, 5):
        rounded = round_half_even(Fraction(grouped_sum(q[row], trits[word], k[word]), 256))
        unit = truncate(value(scales[row]) * value(row_scales[word]))
        assert found[row, word] == scale(rounded, unit * 2**24)


def test_rope_equals_rational_arithmetic():
    x = RNG.integers(-(2**23), 2**23, (2, 3, 8))
    table = rope_table(1e4, 8, 40)[[7, 39]]
    out = rope(x, table)
    for r, h, i in np.ndindex(2, 3, 4):
        a, b, c, s = (int(v) for v in (x[r, h, i], x[r, h, i + 4], table[r, i], table[r, i + 4]))
        assert out[r, h, i] == round_half_even(Fraction(a * c - b * s, 2**10))
        assert out[r, h, i + 4] == round_half_even(Fraction(b * c + a * s, 2**10))


@pytest.mark.parametrize("bits", [8, 16])
def test_head_quant_equals_rational_arithmetic(bits):
    levels = 2 ** (bits - 1) - 1
    x = RNG.integers(-(2**28), 2**28, (1, 3, 10))
    x[0, 1] = 0
    x[0, 2, 0] = 2**38
    unit = random_scalar(RNG)
    q, scales = head_quant(x, row(unit), bits)
    for h in range(3):
        top = int(np.abs(x[0, h]).max())
        if not top:
            assert not q[0, h].any() and scales.m[0, h] == 0
            continue
        multiplier = truncate(Fraction(levels) / truncate(Fraction(top)))
        assert q[0, h].tolist() == [scale(v, multiplier, bits) for v in x[0, h]]
        expected = truncate(truncate(truncate(Fraction(top)) * value(unit)) * value(constant(Fraction(1, levels))))
        assert value(scales[0, h]) == expected


def test_relu2_product_is_exact():
    gate, up = (RNG.integers(-(2**20), 2**20, (1, 50)) for _ in range(2))
    gate[0, 0], up[0, 0] = 2**22, -(2**22)  # saturates to 21 bits
    p, unit = gated_product(gate, row(constant(0.5)), up, row(constant(0.25)), "relu2")
    for i in range(50):
        g, u = clip(int(gate[0, i]), 21), clip(int(up[0, i]), 21)
        assert p[0, i] == max(g, 0) ** 2 * u
    assert value(unit[0]) == Fraction(1, 16)


def test_sigmoid_interpolates_its_table():
    t = np.arange(-(2**18) + 1, 2**18, 37)
    assert np.abs(sigmoid(t) / 65536 - 1 / (1 + np.exp(-t / 16384))).max() < 3e-5
    table = [round(65536 / (1 + np.exp(-i / 32))) for i in range(-512, 513)]
    for v in t[::50]:
        segment, rest = divmod(int(v) + 2**18, 512)
        low, high = table[segment], table[segment + 1]
        assert sigmoid(np.int64(v)) == low + ((high - low) * rest + 256) // 512


def test_silu_product_equals_rational_arithmetic():
    gate, up = (RNG.integers(-(2**20), 2**20, (1, 60)) for _ in range(2))
    g_unit, u_unit = constant(2e-5), constant(0.3)
    p, unit = gated_product(gate, row(g_unit), up, row(u_unit), "silu")
    for i in range(60):
        t = scale(gate[0, i], value(g_unit) * 2**14, 19)
        assert p[0, i] == int(gate[0, i]) * int(sigmoid(np.int64(t))) * int(up[0, i])
    assert value(unit[0]) == truncate(value(g_unit) * value(u_unit)) / 2**16


def test_residual_adds_saturates_and_counts():
    h = np.array([[0, 2**31 - 5, -(2**31) + 5, 1000]])
    sums = np.array([[3, 100, -100, -1]])
    unit = constant(0.5)
    out, saturated = residual_add(h, sums, row(unit), 1)
    assert out[0].tolist() == [3, 2**31 - 1, -(2**31) + 1, 999]
    assert saturated == 2


def test_embed_shifts_to_the_residual_scale():
    assert embed(np.array([[3, -5]], np.int16), np.array([10]), 12).tolist() == [[12, -20]]
    assert embed(np.array([[3, -5, 2]], np.int16), np.array([10]), 9).tolist() == [[2, -2, 1]]  # half to even


def test_tap_equals_rational_arithmetic():
    channels = 40
    x = RNG.integers(-(2**36), 2**36, (1, channels))
    parameters = Tap(gain=RNG.integers(-32768, 32767, channels).astype(np.int16),
                     add=RNG.integers(-32768, 32767, channels).astype(np.int16),
                     clip=RNG.choice([NO_CLIP, 0, 9000, 40000], channels).astype(np.uint16),
                     threshold=RNG.integers(0, 65536, channels).astype(np.uint16),
                     add_exponent=3, clip_exponent=4, threshold_exponent=2)
    rho = constant(12345.678)
    y = tap(x, parameters, row(rho))
    for i in range(channels):
        v = clip(round_half_even(Fraction(int(x[0, i]) * int(parameters.gain[i]), 2**13))
                 + scale(parameters.add[i], value(rho) * 2**3, 40), 40)
        limit = scale(parameters.clip[i], value(rho) * 2**4, 40)
        if parameters.clip[i] != NO_CLIP:
            v = max(-limit, min(limit, v))
        assert y[0, i] == (0 if abs(v) <= scale(parameters.threshold[i], value(rho) * 2**2, 40) else v)


def test_steering_adds_exactly_in_residual_units():
    h = np.array([[10, -20, 30]])
    steer = replace(neutral_tap(3), add=np.array([3, 0, -1], np.int16), add_exponent=-4)
    out, _ = residual_add(h, np.zeros((1, 3), np.int64), row(constant(1)), 6, steer)
    assert out[0].tolist() == [22, -20, 26]


def test_logits_equal_rational_arithmetic():
    q, rows = RNG.integers(-32767, 32768, (2, 30)), RNG.integers(-127, 128, (5, 30)).astype(np.int8)
    unit = Scalar(*(np.array(part) for part in zip(*(random_scalar(RNG, -18, -14) for _ in range(2)), strict=True)))
    scales = Scalar(*(np.array(part) for part in zip(*(random_scalar(RNG, -9, -5) for _ in range(5)), strict=True)))
    out = logits(q, unit, rows, scales)
    for t, v in np.ndindex(2, 5):
        dot = int(sum(int(a) * int(b) for a, b in zip(q[t], rows[v], strict=True)))
        assert out[t, v] == scale(dot, truncate(value(unit[t]) * value(scales[v])) * 2**16)


def test_top_k_prefers_lower_ids_among_equals():
    ids, best = top_k(np.array([5, 9, -3, 9, 5]), 4)
    assert ids.tolist() == [1, 3, 0, 4]
    assert best.tolist() == [9, 9, 5, 5]
