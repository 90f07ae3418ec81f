"""Intervals of shares and the sign test, against published and counted values."""

from itertools import product

import pytest

from host.pipeline.audit.interval import Share, sign_test, wilson


@pytest.mark.parametrize("part, whole, low, high", [
    (0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)])
def test_wilson_intervals_are_the_known_ones(part, whole, low, high):
    assert wilson(part, whole) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_of_nothing_nothing_is_known():
    assert wilson(0, 0) == (0.0, 1.0) and Share(0, 0).shown() == "–"
    assert Share(5, 10).shown() == "50% [24%, 76%] of 10"


@pytest.mark.parametrize("there, back", [(0, 6), (6, 0), (2, 7), (3, 3), (4, 5), (0, 0)])
def test_the_sign_test_counts_every_outcome(there, back):
    total, apart = there + back, abs(there - back)
    outcomes = [abs(2 * sum(signs) - total) >= apart for signs in product((0, 1), repeat=total)]
    assert sign_test(there, back) == pytest.approx(sum(outcomes) / len(outcomes))
