"""The probe finds a planted direction in rows it has not seen, and nothing where none is."""

import numpy as np
import pytest

from host.pipeline.audit.detection import aucs
from host.pipeline.audit.probe import Probe

CHANNELS = 24


def rows(rng, count, shift):
    return rng.standard_normal((count, CHANNELS)) * np.linspace(1, 50, CHANNELS) + 7 + shift


@pytest.mark.parametrize("shift, low, high", [(2.0, 0.9, 1.0), (0.0, 0.35, 0.65)])
def test_a_planted_direction_is_found_in_new_rows(rng, shift, low, high):
    direction = np.eye(CHANNELS)[3] * shift * (1 + 49 * 3 / (CHANNELS - 1))
    probe = Probe(np.concatenate([rows(rng, 300, direction), rows(rng, 300, 0)]), np.arange(600) < 300)
    area = aucs(probe(rows(rng, 300, direction))[:, None], probe(rows(rng, 300, 0))[:, None])[0]
    assert low <= area <= high


def test_scores_keep_the_shape_and_a_constant_channel_does_no_harm(rng):
    data = rows(rng, 40, 0)
    data[:, 5] = 3.0
    probe = Probe(data, data[:, 0] > np.median(data[:, 0]))
    scores = probe(data.reshape(4, 10, CHANNELS))
    assert scores.shape == (4, 10) and np.isfinite(scores).all()
    assert np.corrcoef(scores.ravel(), data[:, 0])[0, 1] > 0.6
