import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.errors import ModelError
from models.ternary import pack_trits, packed_width, quantise_ternary, unpack_trits

matrices = st.tuples(st.integers(1, 6), st.integers(1, 23))
trit_matrices = matrices.flatmap(lambda shape: arrays(np.int8, shape, elements=st.integers(-1, 1)))
weights = matrices.flatmap(lambda shape: arrays(np.float32, shape, elements=st.floats(-4, 4, width=32)))


@given(trit_matrices)
def test_pack_unpack_round_trip(trits):
    packed = pack_trits(trits)
    assert packed.dtype == np.uint8
    assert packed.shape == (trits.shape[0], packed_width(trits.shape[1]))
    assert packed.max() <= 242
    unpacked = unpack_trits(packed, trits.shape[1])
    assert unpacked.dtype == np.int8
    np.testing.assert_array_equal(unpacked, trits)


def test_packing_is_little_endian_base_3_padded_with_zero_trits():
    assert pack_trits(np.array([[1, 0, -1, 0, 1, -1]], np.int8)).tolist() == [[2 + 3 + 0 + 27 + 2 * 81,
                                                                              0 + 3 + 9 + 27 + 81]]


@given(st.integers(243, 255))
def test_a_byte_that_is_not_five_digits_is_refused(byte):
    with pytest.raises(ModelError, match=f"byte {byte} is not five base-3 digits"):
        unpack_trits(np.array([[0, byte]], np.uint8), 10)


def test_a_wrong_width_is_refused():
    with pytest.raises(ModelError, match="expected 3 bytes a row for 11 inputs, found 2"):
        unpack_trits(np.zeros((1, 2), np.uint8), 11)


@settings(max_examples=200)
@given(weights)
def test_quantise_is_the_formula(w):
    trits, value = quantise_ternary(w)
    s = np.float32(1) / max(np.float32(np.abs(w.astype(np.float64)).mean()), np.float32(1e-5))
    assert value == np.float32(1) / s
    exact = w.astype(np.float64) * np.float64(s)
    decided = np.abs(np.abs(exact) - 0.5) > 1e-6  # the float32 product may fall on either side of a tie
    np.testing.assert_array_equal(trits[decided], np.sign(exact[decided]) * (np.abs(exact[decided]) > 0.5))


def test_ties_go_to_even_and_large_values_clip():
    trits, value = quantise_ternary(np.array([[0.5, -0.5, 2.0, 1.0]], np.float32))  # mean 1
    assert trits.tolist() == [[0, 0, 1, 1]]
    assert trits.dtype == np.int8
    assert value == 1.0


@pytest.mark.filterwarnings("error")
def test_weights_too_large_for_a_scale_are_refused():
    assert quantise_ternary(np.full((2, 2), 1e38, np.float32))[1] == pytest.approx(1e38)
    with pytest.raises(ModelError, match="expected weights whose mean magnitude has an inverse in float32, found 3.4"):
        quantise_ternary(np.full((2, 2), np.finfo(np.float32).max))


def test_the_mean_is_clamped():
    trits, value = quantise_ternary(np.zeros((2, 3), np.float32))
    assert not trits.any()
    assert value == pytest.approx(1e-5, rel=1e-6)
