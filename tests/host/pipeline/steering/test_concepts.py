"""Planted concepts are found, and thresholds are the best there are."""

import numpy as np
import pytest

from host.pipeline.steering.concepts import balanced_threshold, concept_directions, fit_concepts

RANDOM = np.random.default_rng(0)


def balanced(threshold, inside, outside):
    return ((inside > threshold).mean() + (outside <= threshold).mean()) / 2


@pytest.mark.parametrize("sizes", [(40, 40), (5, 90), (90, 5), (1, 1)])
def test_no_other_threshold_is_better(sizes):
    inside, outside = (np.round(RANDOM.normal(centre, 1, size), 1) for centre, size in zip((1, 0), sizes, strict=True))
    threshold, accuracy = balanced_threshold(inside, outside)
    assert accuracy == pytest.approx(balanced(threshold, inside, outside))
    scores = np.unique(np.concatenate([inside, outside]))
    best = max((balanced(between, inside, outside) for between in (scores[1:] + scores[:-1]) / 2), default=0)
    assert accuracy == pytest.approx(best)


def test_a_large_side_does_not_outvote_a_small_one():
    threshold, accuracy = balanced_threshold(np.array([2.0]), np.array([*[0.0] * 99, 3.0]))
    assert 0 < threshold < 2 and accuracy == pytest.approx(0.995)


def test_planted_directions_are_found():
    planted = np.linalg.qr(RANDOM.standard_normal((32, 3)))[0].T
    states = [4 * direction + RANDOM.standard_normal((500, 32)) * 0.5 for direction in planted]
    found = fit_concepts(states)
    apart = planted - (planted.sum(axis=0) - planted) / 2
    apart /= np.linalg.norm(apart, axis=1, keepdims=True)
    assert (np.abs((found.directions * apart).sum(axis=1)) > 0.99).all()
    assert np.linalg.norm(found.directions, axis=1) == pytest.approx(1)
    assert (found.accuracies > 0.99).all()


def test_the_same_text_has_no_direction():
    rows = RANDOM.standard_normal((20, 8))
    assert not concept_directions([rows, rows]).any()
