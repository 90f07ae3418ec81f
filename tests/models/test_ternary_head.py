"""The ternary copy of a head: the best approximation in least squares, in integers that are the same everywhere."""

import hashlib
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.checkpoint import load_model
from models.machine.scalar_format import pack_words, unpack_words
from models.ternary_head import ternary_head

ONE = pack_words(1 << 23, 0)


def kept_of(row, threshold):
    """Sum and number of the magnitudes that a threshold keeps, in Python's integers."""
    kept = [abs(int(w)) for w in row if abs(int(w)) >= threshold]
    return sum(kept), len(kept)


@st.composite
def heads(draw):
    shape = draw(st.integers(1, 7)), draw(st.integers(1, 40))
    rows = draw(arrays(np.int8, shape, elements=st.one_of(st.integers(-128, 127), st.integers(-2, 2))))
    mantissas = draw(arrays(np.int64, shape[:1], elements=st.integers(1 << 23, (1 << 24) - 1)))
    exponents = draw(arrays(np.int64, shape[:1], elements=st.integers(-40, -20)))
    return rows, pack_words(mantissas, exponents)


@given(heads())
def test_no_other_threshold_comes_nearer_to_a_row(head):
    rows, words = head
    copy = ternary_head(rows, words)
    for row, trits, threshold in zip(rows, copy.trits(), copy.thresholds, strict=True):
        assert trits.tolist() == [int(np.sign(w)) * (abs(int(w)) >= threshold) for w in row]
        # the error left by the best scale S / n is the row's squares less S² / n
        gains = []
        for other in range(1, 128):
            total, count = kept_of(row, other)
            gains.append(Fraction(total**2, count) if count else Fraction(0))
        assert gains[threshold - 1] == max(gains) and gains.index(max(gains)) == threshold - 1


@given(heads())
def test_scales_are_the_means_in_units_of_one_power_of_two(head):
    rows, words = head
    copy = ternary_head(rows, words)
    values = []
    for row, threshold, m, e in zip(rows, copy.thresholds, *unpack_words(words), strict=True):
        total, count = kept_of(row, int(threshold))
        values.append(Fraction(total, max(count, 1)) * int(m) * Fraction(2) ** int(e))
    assert copy.scales.dtype == np.int16
    largest = int(copy.scales.max())
    if not max(values):
        assert largest == 0
        return
    assert 1 << 14 <= largest < 1 << 15
    unit = Fraction(1)
    while max(values) / unit >= 1 << 15:
        unit *= 2
    while max(values) / unit < 1 << 14:
        unit /= 2
    for value, scale in zip(values, copy.scales.tolist(), strict=True):
        # the quotient is rounded once before: a relative 2**-53
        assert abs(value / unit - scale) <= Fraction(1, 2) + Fraction(1, 1 << 30) or scale == 32767


def test_a_row_of_zeros_and_the_least_int8():
    copy = ternary_head(np.array([[0, 0, 0], [-128, 128 - 1, 1], [-128, -128, -128]], np.int8), np.full(3, ONE))
    assert copy.trits().tolist() == [[0, 0, 0], [-1, 1, 0], [-1, -1, -1]]
    assert copy.thresholds.tolist() == [1, 2, 1] and copy.scales.tolist() == [0, 16320, 16384]


def test_the_largest_scale_stays_within_16_bits():
    assert ternary_head(np.array([[-128]], np.int8), pack_words([(1 << 24) - 1], 0)).scales.tolist() == [32767]


def test_rows_are_copied_in_any_pieces():
    rng = np.random.default_rng(0)
    rows, words = rng.integers(-127, 128, (700, 33)).astype(np.int8), np.full(700, ONE)
    words[::3] = pack_words(3 << 22, -2)
    copy = ternary_head(rows, words)
    assert (np.concatenate([copy.trits(0, 300), copy.trits(300)]) == copy.trits()).all()
    for start, end in ((0, 256), (256, 512), (511, 700)):
        assert (ternary_head(rows[start:end], words[start:end]).thresholds == copy.thresholds[start:end]).all()


def test_the_shipped_model_has_the_same_copy_on_every_machine():
    model = load_model("demo")
    copy = ternary_head(model.head, model.head_scales)
    digest = hashlib.sha256(copy.trits().tobytes() + copy.scales.astype("<i2").tobytes()).hexdigest()
    assert digest[:16] == "3a0ba1bfff42dccc"
