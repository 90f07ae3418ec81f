"""Halves come twice, of different tokens and different lengths; losses are counted where they can be foretold."""

import numpy as np
import pytest

from host.pipeline.heads.repeats import Repeated, repeated_passages, repeated_sequences, reversed_sequences
from models.errors import OptionError


def test_sequences_come_twice_and_differ_in_length():
    found = repeated_sequences(range(5, 40), 40, 12, 0)
    assert {each.period for each in found} == set(range(6, 13))
    for each in found:
        half = each.ids[:each.period]
        assert each.ids == half * 2 and len(set(half)) == each.period and set(half) <= set(range(5, 40))
    assert repeated_sequences(range(5, 40), 40, 12, 0) == found != repeated_sequences(range(5, 40), 40, 12, 1)


def test_a_mirror_has_the_same_first_half():
    for forth, back in zip(repeated_sequences(range(20), 5, 8, 3), reversed_sequences(range(20), 5, 8, 3), strict=True):
        assert back.ids == forth.ids[:forth.period] + forth.ids[:forth.period][::-1]


def test_counted_losses_are_those_that_a_copier_gets_right():
    each = Repeated((3, 1, 4, 3, 1, 4), 3)
    targets = np.array(each.ids[1:])
    assert targets[each.first].tolist() == [1, 4] == targets[each.second].tolist()


def test_passages_are_the_starts_of_windows():
    assert repeated_passages([[1, 2, 3, 4], [5, 6, 7]], 2) == [Repeated((1, 2, 1, 2), 2), Repeated((5, 6, 5, 6), 2)]


def test_too_few_tokens_are_one_line():
    with pytest.raises(OptionError, match="there are 3: give more text, or a shorter period"):
        repeated_sequences([1, 2, 3, 3], 2, 4, 0)
