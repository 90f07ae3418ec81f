"""Fitting a difference of means: which tokens, which layers, which scale."""

import numpy as np
import pytest

from host.pipeline.steering.difference_of_means import difference_of_means
from host.pipeline.texts import spread


def test_windows_are_spread_over_the_whole_text():
    ids = list(range(1000))
    assert spread(ids, 40, 10) == [*range(10), *range(330, 340), *range(660, 670), *range(990, 1000)]
    assert spread(ids[:30], 40, 10) == ids[:30]
    assert spread(ids, 5, 10) == list(range(10))


def test_a_difference_of_means_points_from_one_text_to_the_other():
    random = np.random.default_rng(0)
    away = random.standard_normal((3, 500, 64))
    direction = random.standard_normal(64)
    vectors = difference_of_means(away + direction, away, [0, 2])
    assert not vectors[1].any()
    for layer in (0, 2):
        cosine = vectors[layer] @ direction / np.linalg.norm(vectors[layer]) / np.linalg.norm(direction)
        assert cosine == pytest.approx(1)


def test_strength_one_adds_the_residual_s_usual_norm_shared_over_layers():
    toward = np.full((2, 50, 64), 1.0)
    toward[..., 5] = 1e6  # a massive activation, which must not set the scale
    vectors = difference_of_means(toward, np.zeros_like(toward) - toward, [0, 1])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.sqrt(64 - 10) / 2)
