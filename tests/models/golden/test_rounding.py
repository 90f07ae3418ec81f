from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.golden.rounding import bit_length, round_shift, saturate

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(INT64, st.integers(0, 70))
def test_round_shift_is_half_even_over_all_of_int64(x, shift):
    expected = round(Fraction(x, 2**shift)) if shift < 63 else 0
    assert round_shift(np.int64(x), shift) == expected


@given(st.integers(0, 2**63 - 1))
def test_bit_length(x):
    assert bit_length(np.int64(x)) == x.bit_length()


def test_saturate_is_symmetric():
    assert saturate(np.array([-128, -127, 127, 128]), 8).tolist() == [-127, -127, 127, 127]
