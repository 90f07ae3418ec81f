from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.machine.scalar_format import nearest, pack_words, unpack_words, word


@given(st.fractions(min_value=Fraction(1, 10**9), max_value=10**9))
def test_nearest_errs_by_half_a_unit_at_most(x):
    m, e = nearest(x)
    assert 1 << 23 <= m < 1 << 24
    assert abs(Fraction(m) * Fraction(2) ** (e - 23) - x) <= Fraction(2) ** (e - 24)


@given(st.integers(1 << 23, (1 << 24) - 1), st.integers(-128, 127))
def test_words_round_trip(m, e):
    back = unpack_words(pack_words(np.array(m), np.array(e)))
    assert (int(back[0]), int(back[1])) == (m, e)


def test_one_and_zero():
    assert word(1.0) == 1 << 23
    assert word(0) == 0
    with pytest.raises(ValueError, match="out of range"):
        word(2.0**200)
