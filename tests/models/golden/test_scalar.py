import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.golden import scalar
from models.golden.scalar import Scalar
from tests.models.golden.oracle import clip, truncate, value

SCALARS = st.builds(lambda m, e: Scalar(np.int64(m), np.int64(e)), st.integers(1 << 23, (1 << 24) - 1),
                    st.integers(-120, 120))


@given(SCALARS, SCALARS)
def test_mul_and_div_truncate(a, b):
    assert value(scalar.mul(a, b)) == truncate(value(a) * value(b))
    assert value(scalar.div(a, b)) == truncate(value(a) / value(b))


@given(SCALARS, SCALARS)
def test_add_drops_the_smaller_ones_low_bits(a, b):
    big, small = sorted((a, b), key=value, reverse=True)
    unit = Fraction(2) ** (int(big.e) - 23)
    assert value(scalar.add(a, b)) == truncate(value(big) + value(small) // unit * unit)


@given(SCALARS)
def test_sqrt_truncates(a):
    root = value(scalar.sqrt(a))
    ulp = Fraction(2) ** (int(scalar.sqrt(a).e) - 23)
    assert root * root <= value(a) < (root + ulp) ** 2


@given(SCALARS, SCALARS)
def test_less(a, b):
    assert bool(scalar.less(a, b)) == (value(a) < value(b))


@given(st.integers(0, 2**62))
def test_from_int_truncates(n):
    assert value(scalar.from_int(np.int64(n))) == (truncate(Fraction(n)) if n else 0)


@given(st.integers(-(2**39) + 1, 2**39 - 1), SCALARS, st.integers(-20, 20), st.sampled_from([19, 24, 32, 40]))
@example(549688303696, Scalar(np.int64(8471557), np.int64(-20)), -20, 19)  # just above a half, shifted by 63
def test_scale_round(x, a, fraction, bits):
    shift = 23 - int(a.e) - fraction
    exact = Fraction(x) * value(a) * Fraction(2) ** fraction if shift < 63 else 0  # numerics §1: 0 from 63 on
    assert scalar.scale_round(np.int64(x), a, fraction=fraction, bits=bits) == clip(round(exact), bits)


@given(SCALARS)
def test_words_hold_every_exponent_of_eight_bits(a):
    back = scalar.from_word(scalar.to_word(a))
    assert (int(back.m), int(back.e)) == (int(a.m), int(a.e))


def test_exponents_saturate_and_flush():
    huge, tiny = Scalar(np.int64(1 << 23), np.int64(511)), Scalar(np.int64(1 << 23), np.int64(-512))
    assert scalar.mul(huge, huge) == ((1 << 24) - 1, 511)
    assert scalar.mul(tiny, tiny) == (0, 0)
    assert scalar.div(huge, scalar.ZERO) == ((1 << 24) - 1, 511)
    assert scalar.div(scalar.ZERO, huge) == (0, 0)
    assert scalar.to_word(huge) == 0x7FFFFFFF
    assert scalar.to_word(tiny) == 0


@pytest.mark.parametrize("x", [1.0, 1e-5, 127.0, math.pi, 2.0**-100])
def test_constant_is_the_nearest(x):
    assert abs(value(scalar.constant(x)) - Fraction(x)) <= Fraction(x) * Fraction(2) ** -24


def test_constants_are_not_negative():
    with pytest.raises(ValueError, match="not negative"):
        scalar.constant(-1.0)
