import numpy as np
import pytest

from models.errors import ModelError
from models.golden.ternary_matmul import grouped_matmul
from models.ternary_groups import (
    GROUP,
    MANTISSA_MAX,
    check_groups,
    group_mantissas,
    group_shift,
    pack_groups,
    unpack_groups,
)


def test_the_packing_by_hand():
    trits = np.zeros((2, 2 * GROUP), np.int8)
    trits[1, GROUP + 32 * 2 + 5] = -1  # of the second group, plane 2, byte 5
    packed = pack_groups(trits)
    assert packed.shape == (2, 64)
    assert {(int(r), int(b)): int(packed[r, b]) for r, b in np.argwhere(packed != 0b01010101)} == {
        (1, 32 + 5): 0b01000101}


def test_packing_and_back():
    rng = np.random.default_rng(0)
    trits = rng.integers(-1, 2, (7, 5 * GROUP)).astype(np.int8)
    packed = pack_groups(trits)
    check_groups(packed)
    np.testing.assert_array_equal(unpack_groups(packed), trits, strict=True)
    packed[3, 9] |= 0b1100
    with pytest.raises(ModelError, match="expected two-bit codes 0 to 2, found 3"):
        check_groups(packed)


def test_mantissas_are_the_nearest_with_the_largest_exponent():
    rng = np.random.default_rng(0)
    scales = np.float16(np.exp(rng.standard_normal((5, 9)) * 3)).astype(float)
    scales[1], scales[2, 0] = 0, 32767.75 * 2.0**-9  # which would round to 2**15
    scales[2, 1:] = 1
    k, e = group_mantissas(scales)
    assert k.dtype == np.int16 and k.min() >= 0 and (e[1], e[2]) == (0, 8)
    np.testing.assert_array_equal(k, np.rint(scales * 2.0 ** e[:, None]))
    for row in (0, 2, 3, 4):
        assert k[row].max() <= MANTISSA_MAX < np.rint(scales[row].max() * 2.0 ** (e[row] + 1))


def test_fp16_scales_within_a_factor_of_16_are_exact():
    rng = np.random.default_rng(0)
    scales = np.float16(2.0 ** rng.uniform(-3, 0.99, (1, 100))).astype(float)
    k, e = group_mantissas(scales)
    np.testing.assert_array_equal(np.ldexp(k.astype(float), -e), scales)


@pytest.mark.parametrize("scale", [-1.0, np.nan, np.inf])
def test_other_scales_are_refused(scale):
    with pytest.raises(ModelError, match="a scale must be a finite number, not negative"):
        group_mantissas(np.array([[1.0, scale]]))


def test_the_shift_is_the_least_with_which_no_sum_saturates():
    rng = np.random.default_rng(0)
    for seed in range(5):
        trits = rng.integers(-1, 2, (9, 6 * GROUP)).astype(np.int8)
        k = rng.integers(1, 32768, (9, 6)).astype(np.int16) >> seed
        for bits in (21, 24):
            shift = group_shift(trits, k, bits)
            worst = (np.count_nonzero(trits.reshape(9, 6, GROUP), axis=2) * k.astype(int)).sum(axis=1).argmax()
            q = 127 * trits[worst].astype(int)[None]  # the largest sum that there is
            assert grouped_matmul(q, trits, k, shift).max() < 1 << bits - 1
            assert shift == 0 or grouped_matmul(q, trits, k, shift - 1).max() >= (1 << bits - 1) - 1
