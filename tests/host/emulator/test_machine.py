"""Each unit that the emulator runs equals its golden function: what the fast path may replace, to the last bit."""

import numpy as np
import pytest

from host.emulator import machine
from models.golden.attention import attention
from models.golden.gated import gated_product
from models.golden.residual import residual_add
from models.golden.scalar import Scalar, log2_e_over_root
from models.golden.tap import neutral_tap
from models.golden.ternary_matmul import ternary_matmul
from models.machine.kv_format import kv_format

RNG = np.random.default_rng(5)


def scalars(shape, low=-30, high=-10):
    return Scalar(RNG.integers(1 << 23, 1 << 24, shape), RNG.integers(low, high, shape))


def check_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        parts = zip(a, b, strict=True) if isinstance(a, Scalar) else [(a, b)]
        assert all((x == y).all() for x, y in parts)


@pytest.mark.parametrize("inputs", [1, 33, 8256])
def test_matmul(inputs):
    q, trits = RNG.integers(-127, 128, (3, inputs)), RNG.integers(-1, 2, (7, inputs)).astype(np.int8)
    q[0], trits[0] = -127, 1
    found = machine.matmul(q, np.ascontiguousarray(trits.T, np.float32))
    check_same([found], [ternary_matmul(q, trits)])


@pytest.mark.parametrize("activation", ["relu2", "silu"])
def test_gated_product(activation):
    gate, up = (RNG.integers(-(2**20) + 1, 2**20, (4, 50)) for _ in range(2))
    gate[:, 0] = up[:, 0] = 1
    arguments = gate, scalars(4), up, scalars(4), activation
    check_same(machine.gated_product(*arguments), gated_product(*arguments))


@pytest.mark.parametrize("tapped", [False, True])
def test_residual_add(tapped):
    arguments = (RNG.integers(-(2**31) + 1, 2**31, (3, 40)), RNG.integers(-(2**20), 2**20, (3, 40)), scalars(3), 21,
                 neutral_tap(40) if tapped else None)
    (found, count), (expected, expected_count) = machine.residual_add(*arguments), residual_add(*arguments)
    assert (found == expected).all() and count == expected_count


@pytest.mark.parametrize("kv_bits", [8, 16])
def test_attention_rows(kv_bits):
    rows, position, heads, kv_heads, dim = 5, 9, 4, 2, 16
    limit, n = (1 << (kv_bits - 1)) - 1, position + rows
    q = RNG.integers(-32767, 32768, (rows, heads, dim))
    keys, values = (RNG.integers(-limit, limit + 1, (kv_heads, n, dim)) for _ in range(2))
    q_scale, key_scales, value_scales = scalars((rows, heads)), scalars((kv_heads, n)), scalars((kv_heads, n))
    out, exponents = machine.attention_rows(q, q_scale, keys, key_scales, values, value_scales,
                                            log2_e_over_root(dim), position, kv=kv_format(kv_bits))
    for row in range(rows):
        seen = position + row + 1
        expected = attention(q[row], q_scale[row], keys[:, :seen], key_scales[:, :seen], values[:, :seen],
                             value_scales[:, :seen], log2_e_over_root(dim), kv_bits=kv_bits)
        check_same((out[row], exponents[row]), expected)
