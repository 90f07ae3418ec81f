"""Two sums say what rational arithmetic does, at the largest gates too, where they need more than 64 bits."""

from fractions import Fraction

import numpy as np
import pytest

from models.golden.deviation import CHANNELS_MAX, sums_and_variances

LARGEST = 2**20 - 1


@pytest.mark.parametrize("row", [
    [1, 2, 3, -40], [LARGEST, -LARGEST] * (CHANNELS_MAX // 2), [5] * 7,
    np.random.default_rng(2).integers(-LARGEST, LARGEST + 1, 6912).tolist()])
def test_two_sums_equal_rational_arithmetic(row):
    [total], [variance] = sums_and_variances(np.array([row]))
    n, mean = len(row), Fraction(sum(row), len(row))
    assert total == sum(row) and variance == n * sum((g - mean) ** 2 for g in row)


def test_more_channels_are_refused():
    with pytest.raises(ValueError, match="16385 channels, at most 16384 have exact sums"):
        sums_and_variances(np.zeros((1, CHANNELS_MAX + 1), np.int64))
