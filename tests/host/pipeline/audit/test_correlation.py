"""Correlations of grouped values and their bootstrap intervals."""

import numpy as np

from host.pipeline.audit.correlation import correlated, correlation_gap


def groups(rng, noise, count=12):
    y = [rng.standard_normal(20) + 3 * rng.standard_normal() for _ in range(count)]
    return [each + noise * rng.standard_normal(20) for each in y], y


def test_it_is_pearson_s_over_all_values(rng):
    x, y = groups(rng, 2.0)
    found = correlated(x, y)
    assert np.isclose(found.value, np.corrcoef(np.concatenate(x), np.concatenate(y))[0, 1])
    assert found.low < found.value < found.high and found == correlated(x, y)
    assert correlated([np.ones(4)] * 3, y[:3] and [each[:4] for each in y[:3]]).value == 0


def test_groups_are_drawn_and_not_values(rng):
    """Values of a group that say the same are worth one: the interval is as wide as with one each."""
    x, y = [rng.standard_normal(1) for _ in range(12)], [rng.standard_normal(1) for _ in range(12)]
    repeated = correlated([np.repeat(each, 50) for each in x], [np.repeat(each, 50) for each in y])
    assert np.allclose(repeated, correlated(x, y))


def test_a_gap_is_of_the_same_draws(rng):
    close, y = groups(rng, 0.5)
    far = [each + 6 * rng.standard_normal(20) for each in y]
    gap = correlation_gap(close, far, y)
    assert np.isclose(gap.value, correlated(close, y).value - correlated(far, y).value) and gap.low > 0
    assert correlation_gap(close, close, y) == (0, 0, 0)
