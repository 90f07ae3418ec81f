"""Planted sparse factors come back, the update only ever lowers the error, winners alone stay."""

import numpy as np
import pytest

from host.pipeline.features.snmf import factorise, updated_amounts, winners
from scripts.experiments.planted import best_matches, planted, random_directions


@pytest.mark.parametrize(("active", "least"), [(2, 0.95), (5, 0.9)])
def test_planted_factors_come_back(active, least):
    """Mean best-match cosine: 0.99 and 0.97; a random dictionary as sparse: 0.15."""
    true, rows = planted(24, 160, 1500, active=active, share=0.05, noise=0.05)
    found = factorise(rows, 24, share=0.05)
    null = random_directions(24, 160, 0.05, np.random.default_rng(1))
    assert best_matches(true, found.directions) > least
    assert best_matches(true, null) < 0.2
    assert found.error < 0.05
    assert (found.amounts >= 0).all() and (np.count_nonzero(found.directions, axis=0) <= 8).all()
    assert np.linalg.norm(found.directions, axis=0) == pytest.approx(np.ones(24))


def test_rows_without_structure_have_no_such_factors():
    """The same values, each channel's shuffled over the rows: 0.47, error 0.44."""
    true, rows = planted(24, 160, 1500, active=2, share=0.05, noise=0.05)
    random = np.random.default_rng(2)
    shuffled = np.stack([random.permutation(channel) for channel in rows.T], axis=1)
    found = factorise(shuffled, 24, share=0.05)
    assert best_matches(true, found.directions) < 0.6
    assert found.error > 0.3


def test_the_update_never_raises_the_error_and_ends_where_no_amount_would_change():
    random = np.random.default_rng(3)
    rows, directions, amounts = (random.standard_normal(shape) for shape in ((50, 20), (20, 6), (50, 6)))
    amounts = np.abs(amounts)
    errors = []
    for _ in range(1000):
        errors.append(((rows - amounts @ directions.T) ** 2).sum())
        amounts = updated_amounts(rows, directions, amounts)
    assert (np.diff(errors) <= 1e-9).all() and errors[-1] < errors[0]
    slope = (amounts @ directions.T - rows) @ directions
    assert slope.min() > -1e-2 and np.abs(amounts * slope).max() < 1e-2


def test_winners_take_all():
    assert winners(np.array([[3.0, 0.1], [-4, 0], [1, 2], [0, -1]]), 0.5).tolist() == [[3, 0], [-4, 0], [0, 2], [0, -1]]
    assert np.count_nonzero(winners(np.ones((1, 3)), 0.01)) == 3


def test_impossible_requests_are_refused():
    for wrong in (dict(features=0), dict(features=11), dict(features=2, share=0)):
        with pytest.raises(ValueError, match="must"):
            factorise(np.ones((10, 4)), **wrong)


def test_rows_of_zeros_have_no_error():
    assert factorise(np.zeros((10, 4)), 3).error == 0
