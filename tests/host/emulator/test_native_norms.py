"""Norms of the compiled machine, of all their sources, equal the golden model at its extremes, by every path."""

import numpy as np
import pytest

from models.golden.gated import gated_product
from models.golden.head import HEAD_LEVELS
from models.golden.norm_quant import ABSMAX_FLOOR, NormConstants, norm_quant
from models.golden.rounding import round_shift
from models.golden.scalar import Scalar, constant, from_int, from_word, mul, shift, to_word
from models.machine.descriptor import LoadTarget, NormSource, Opcode
from models.machine.tables import SIGMOID_TABLE
from tests.host.emulator.native_units import (
    ONE,
    PATHS,
    UnitMachine,
    read_activations,
    residual_like,
    same,
    some_scalars,
    some_words,
    wild_tap,
)

pytestmark = pytest.mark.parametrize("path", PATHS)


def check_residual(path, rng, x, unit_exponent, eps, *, rms, tapped=False, levels16=0, threads=2):
    """The norm of rows of the residual [rows, count] with random gains."""
    rows, count = x.shape
    gains = rng.integers(-32767, 32768, count)
    gains[0] = 32767
    gain, eps_sum = int(some_words(rng, low=-20, high=5)), int(to_word(constant(count * eps)))
    tap = wild_tap(rng, count) if tapped else None
    unit = UnitMachine(path, rows=rows, channels=count, sums=count, threads=threads)
    unit.add_load(LoadTarget.RESIDUAL, x.astype("<i4"))
    unit.add_load(LoadTarget.GAIN, gains.astype("<i2"))
    fields = unit.add_tap(tap) if tapped else {}
    unit.add(Opcode.NORM, source=NormSource.RESIDUAL, count=count, rows=rows, rms=rms, gained=1, levels16=levels16,
             unit_exponent=unit_exponent, gain=gain, eps_sum=eps_sum, **fields)
    found = read_activations(unit, rows, count) if not levels16 else None
    if levels16:
        unit.run()
        found = unit.array("head_input", rows, count)
    scale = Scalar(np.full(rows, 1 << 23), np.full(rows, unit_exponent))
    constants = NormConstants(from_word(gain), from_word(eps_sum) if rms else None)
    q, q_unit = norm_quant(x, scale, gains, constants, levels=HEAD_LEVELS if levels16 else 127, tap_parameters=tap)
    assert same(found, q) and same(unit.scalars("unit", rows), q_unit)
    assert unit.machine.zeros == (0 if levels16 else np.count_nonzero(q == 0))


@pytest.mark.parametrize("rms", [0, 1])
@pytest.mark.parametrize("tapped", [False, True])
@pytest.mark.parametrize("levels16", [0, 1])
def test_norm_of_the_residual(path, rng, rms, tapped, levels16):
    for count, unit_exponent, eps in ((70, -21, 1e-5), (9, -60, 1e-12), (33, 20, 1e3), (5, -128, 0), (5, 127, 0),
                                      (40, -28, 1.0)):
        x = residual_like(rng, 6, count)
        if eps == 1.0:  # two summands alike
            x = rng.integers(2**27, 2**29, (6, count))
        check_residual(path, rng, x, unit_exponent, eps, rms=rms, tapped=tapped, levels16=levels16)


@pytest.mark.parametrize("levels16", [0, 1])
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_norm_of_a_row_that_threads_share(path, rng, threads, levels16):
    """The largest channel is the first thread's, the last's, or between."""
    for largest in (0, 700, 1500):
        x = rng.integers(-(2**20), 2**20, (1, 1501))
        x[0, largest] = 2**30 - 5
        check_residual(path, rng, x, -21, 1e-5, rms=1, levels16=levels16, threads=threads)


@pytest.mark.parametrize("levels16", [0, 1])
def test_norm_at_the_clamp(path, levels16):
    """max|y| is the clamp's 1e-5 itself, or the scalar below it."""
    word = int(to_word(constant(ABSMAX_FLOOR)))
    for gain in (word, word - 1):
        unit = UnitMachine(path, channels=3, sums=3)
        x = np.array([[1, -1, 0]])
        unit.add_load(LoadTarget.RESIDUAL, x.astype("<i4"))
        unit.add(Opcode.NORM, count=3, rows=1, gain=gain, levels16=levels16)
        unit.run()
        _, expected = norm_quant(x, Scalar(np.array([1 << 23]), np.array([0])), None,
                                 NormConstants(from_word(gain), None), levels=HEAD_LEVELS if levels16 else 127)
        assert same(unit.scalars("unit", 1), expected)


def test_norm_of_the_attention_aligns_its_groups(path, rng):
    rows, kv_heads, channels = 9, 4, 24
    count = kv_heads * channels
    out = rng.integers(-(2**24), 2**24 + 1, (rows, kv_heads, channels))
    exponents = rng.integers(-60, 60, (rows, kv_heads)) // rng.choice([1, 8, 60], (rows, 1))
    exponents[:4] = [[63, 38, 0, 1], [63, 38, 0, -1], [0, -24, -25, -26], [0, -63, -63, -63]]
    out[:4, 0] = np.array([0, 1, -1, 0])[:, None]  # the largest exponent's group does not drown the others
    unit = UnitMachine(path, rows=rows, channels=count, sums=count, heads=kv_heads)
    unit.array("attention", rows, kv_heads, channels)[:] = out
    unit.array("attention_exponents", rows, kv_heads)[:] = exponents
    unit.add(Opcode.NORM, source=NormSource.ATTENTION, count=count, rows=rows, gain=ONE, levels16=1,
             group_channels=channels)
    unit.run()
    top = exponents.max(axis=1)
    x = round_shift(out, (top[:, None] - exponents)[..., None]).reshape(rows, count)
    expected = norm_quant(x, Scalar(np.full(rows, 1 << 23), top), None, NormConstants(constant(1), None),
                          levels=HEAD_LEVELS)
    assert same(unit.array("head_input", rows, count), expected[0]) and same(unit.scalars("unit", rows), expected[1])


def check_gated(path, gate, up, units, words, activation, gains=None):
    """The product of sums [rows, count] with scales [rows], 16 bits of it. Returns the exact product."""
    rows, count = gate.shape
    unit = UnitMachine(path, rows=rows, channels=count, sums=7 + 2 * count, memory=1 << 12)
    if gains is not None:
        unit.add_load(LoadTarget.GAIN, gains.astype("<i2"))
    sums = unit.sums(rows, 7 + 2 * count)
    sums[:, 7:7 + count], sums[:, 7 + count:] = gate, up
    unit.set_scalars("unit", units)
    unit.add(Opcode.NORM, source=NormSource.GATED, count=count, rows=rows, gain=ONE, levels16=1,
             gained=gains is not None, activation=["relu2", "silu"].index(activation), gate_accumulator=7,
             up_accumulator=7 + count, gate_scale=int(words[0]), up_scale=int(words[1]))
    unit.run()
    x, x_unit = gated_product(gate, mul(units, from_word(words[0])), up, mul(units, from_word(words[1])), activation)
    expected = norm_quant(x, x_unit, gains, NormConstants(constant(1), None), levels=HEAD_LEVELS)
    assert same(unit.array("head_input", rows, count), expected[0]) and same(unit.scalars("unit", rows), expected[1])
    return x


@pytest.mark.parametrize("activation", ["relu2", "silu"])
def test_gated_product_saturates_sums_and_scales(path, rng, activation):
    gate, up = rng.integers(-(2**23), 2**23, (2, 80, 40))
    units = some_scalars(rng, 80)
    units.e[:] = np.r_[np.arange(-24, 6), rng.integers(-480, 480, 50)]
    check_gated(path, gate, up, units, some_words(rng, 2, low=-6, high=2), activation)
    gate, up = rng.integers(-(2**20), 2**20, (2, 1, 1000))
    check_gated(path, gate, up, some_scalars(rng, 1, low=-12, high=-6), [ONE, ONE], activation)


def test_last_bit_of_relu2(path, rng):
    gate, up = rng.integers(-16, 16, (2, 40, 40))
    x = check_gated(path, gate, up, some_scalars(rng, 40, low=-3, high=4), some_words(rng, 2, low=-1, high=2), "relu2")
    assert np.abs(x).max() <= HEAD_LEVELS  # so the head's quantisation keeps every bit


def test_wide_products_with_gains(path, rng):
    """Sizes on both sides of a product of 63 bits; and ties, whose last bit an outlier with gain 0 leaves visible."""
    gate, up = rng.integers(0, 2**20, (40, 40)), rng.integers(-(2**20), 2**20, (40, 40))
    up >>= np.arange(40)[:, None] // 2
    gate[:, 0], up[:, 1:] = 2**20 - 1, np.where(rng.random((40, 39)) < 0.5, up[:, 1:], 1)
    units, words, gains = some_scalars(rng, 40, low=-3, high=4), [ONE, ONE], rng.integers(-32767, 32768, 40)
    check_gated(path, gate, up, units, words, "relu2", gains.astype(np.int16))

    gate, up = np.full((4, 40), 2**13), rng.integers(-200, 200, (4, 40)) << 10
    gate[:, 0], up[:, 0], gains = 2**20 - 1, 2**20 - 1, rng.integers(-300, 300, 40)
    gains[0] = 0
    check_gated(path, gate, up, units[:4], words, "relu2", gains.astype(np.int16))


def test_last_bit_of_the_sigmoid(path, rng):
    """Arguments at which the interpolation is just a half, and any others: scale t / 2**14, gate -1."""
    t = np.arange(-(2**18) + 1, 0)
    segment, rest = (t >> 9) + 512, t & 511
    halves = t[((SIGMOID_TABLE[segment + 1] - SIGMOID_TABLE[segment]) * rest + 256) % 512 == 0]
    chosen = np.r_[rng.choice(halves, 100), rng.choice(t, 100), t[[0, -1]]]
    gate, up = np.repeat([[-1, 0]], chosen.size, axis=0), np.ones((chosen.size, 2), np.int64)
    x = check_gated(path, gate, up, shift(from_int(-chosen), -14), [ONE, ONE], "silu")
    assert np.abs(x).max() <= HEAD_LEVELS + 1
