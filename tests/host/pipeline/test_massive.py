"""Massive activations: planted ones are found, a planted growth is fitted."""

import numpy as np
import pytest

from host.pipeline.massive import fit_growth, largest_values, massive_channels


@pytest.fixture
def residual(rng):
    """[3, 20, 64] whose channels 5 (at one token of layer 1) and 40 (everywhere in layer 2) are massive."""
    values = rng.choice([-1, 1], (3, 20, 64)) * rng.uniform(0.9, 1.1, (3, 20, 64))
    values[1, 7, 5] = -2500
    values[2, :, 40] = 1500
    values[0, 3, 2] = 900
    return values


def test_planted_ones_are_found(residual):
    assert np.flatnonzero(massive_channels(residual)).tolist() == [5, 40]
    assert np.flatnonzero(massive_channels(residual, 500)).tolist() == [2, 5, 40]
    first, second, third = largest_values(residual)
    assert (first.value, first.token, first.channel) == (900, 3, 2)
    assert (second.value, second.token, second.channel) == (-2500, 7, 5) and 2200 < second.ratio < 2800
    assert third.channel == 40


def test_a_token_is_measured_by_its_own_median(residual):
    residual[0, 3] *= 1e-3
    residual[0, 3, 2] = 1.08  # others are larger, but not beside their tokens
    assert massive_channels(residual)[2] and largest_values(residual)[0].token == 3
    assert not massive_channels(np.zeros((1, 2, 8))).any() and largest_values(np.zeros((1, 2, 8)))[0].ratio == 0


@pytest.mark.parametrize("planted", [(50.0, 0.15, 1.0, 1.2, 3.0), (-8.0, 1.5, 0.2, 1.0, 20.0)])
def test_a_planted_growth_is_fitted(planted):
    a, rate, step, start, offset = planted
    s = step * np.arange(24) + start
    found = fit_growth(a * np.exp(-rate * s) * np.log(s) + offset)
    assert found.explained > 0.999  # different parameters give almost the same curve
    s = found.step * np.arange(24) + found.start
    again = found.amplitude * np.exp(-found.rate * s) * np.log(s) + found.offset
    s = step * np.arange(24) + start
    wanted = a * np.exp(-rate * s) * np.log(s) + offset
    assert np.abs(again - wanted).max() < 0.05 * np.ptp(wanted)


@pytest.mark.parametrize("ratios", [np.arange(5.0), np.ones(8), np.r_[np.arange(7.0), np.inf]])
def test_what_has_no_growth_has_no_fit(ratios):
    assert fit_growth(ratios) is None
