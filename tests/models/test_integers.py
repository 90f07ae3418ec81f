import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.errors import ModelError
from models.integers import embedding_rows, gain_vector, head_of_embedding, head_rows, scalar_words
from models.machine.scalar_format import unpack_words, word

numbers = st.floats(-1e6, 1e6, width=32).map(lambda x: x if abs(x) > 2.0**-99 else 0.0)
vectors = arrays(np.float32, st.integers(1, 9), elements=numbers)
matrices = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=numbers)


@given(st.floats(2.0**-120, 2.0**120))
def test_scalar_words_are_the_nearest(value):
    assert int(scalar_words(np.array([value]))[0]) == word(value)


def test_scalar_words_of_zero_and_of_a_carry():
    assert scalar_words(np.array([0.0, 1.0, 2.0 - 2.0**-30])).tolist() == [0, word(1.0), word(2.0)]


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, 2.0**-140, 2.0**130])
def test_scalar_words_refuse_what_does_not_fit(value):
    with pytest.raises(ModelError, match="a scale"):
        scalar_words(np.array([value]))


@given(vectors)
def test_gains_use_the_largest_exponent_that_fits(gains):
    m, e = gain_vector(gains)
    assert m.dtype == np.int16
    largest = float(np.abs(gains).max())
    if largest == 0:
        assert e == 0 and not m.any()
        return
    assert np.abs(m.astype(int)).max() <= 32767
    assert e == 100 or round(largest * 2.0 ** (e + 1)) > 32767
    assert (np.abs(m * 2.0**-e - gains.astype(np.float64)) <= 2.0 ** (-e - 1)).all()


def test_a_maximum_that_rounds_to_32768_takes_the_next_exponent():
    m, e = gain_vector(np.array([32767.6, 1.0]))
    assert (m.tolist(), e) == ([16384, 0], -1)  # 1 / 2 is a tie: half to even


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    for convert in (lambda x: gain_vector(x[0]), embedding_rows, head_rows):
        with pytest.raises(ModelError, match="expected finite numbers, found NaN or infinity"):
            convert(np.array([[1.0, bad]], np.float32))


@given(matrices)
def test_embedding_rows_are_gains_row_by_row(rows):
    mantissas, exponents = embedding_rows(rows)
    assert (mantissas.dtype, exponents.dtype) == (np.int16, np.int8)
    for row, m, e in zip(rows, mantissas, exponents, strict=True):
        expected, exponent = gain_vector(row)
        np.testing.assert_array_equal(m, expected)
        assert e == exponent


@given(matrices)
def test_head_rows_are_half_a_unit_from_the_floats(head):
    q, words = head_rows(head)
    assert (q.dtype, words.dtype) == (np.int8, np.uint32)
    m, e = unpack_words(words)
    scale = np.ldexp(m.astype(float), e - 23)
    np.testing.assert_allclose(scale, np.abs(head).max(axis=1).astype(float) / 127, rtol=2.0**-24)
    error = np.abs(q * scale[:, None] - head.astype(float))
    assert (error <= scale[:, None] * (0.5 + 127 * 2.0**-24) + 1e-300).all()
    assert (np.abs(q.astype(int)).max(axis=1) == 127 * (scale > 0)).all()


@given(arrays(np.int16, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=st.integers(-32767, 32767)),
       st.integers(-90, 90))
def test_a_tied_head_is_the_head_of_the_embedding_values(mantissas, exponent):
    exponents = np.full(mantissas.shape[0], exponent, np.int8)
    rows, scales = head_of_embedding(mantissas, exponents)
    expected_rows, expected_scales = head_rows(np.ldexp(mantissas.astype(np.float64), -exponent))
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scales, expected_scales)
