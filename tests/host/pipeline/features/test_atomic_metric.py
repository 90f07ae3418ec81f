"""The inner product is no matter of coordinates, and undoes a stretched space."""

import numpy as np
import pytest

from host.pipeline.features.atomic_metric import atomic_metric
from scripts.experiments.planted import planted, stretch


def test_cosines_are_those_before_a_linear_map():
    directions, rows = planted(48, 32, 3000, active=3)
    before = atomic_metric(rows).cosines(directions, directions)
    after = atomic_metric(rows @ stretch(32)).cosines(stretch(32) @ directions, stretch(32) @ directions)
    assert after == pytest.approx(before, abs=1e-9)
    stretched = stretch(32) @ directions
    stretched /= np.linalg.norm(stretched, axis=0)
    assert np.abs(stretched.T @ stretched - directions.T @ directions).max() > 0.3


def test_rows_have_the_unit_covariance_in_its_coordinates_and_come_back():
    rows = planted(48, 32, 3000, active=3)[1] @ stretch(32) + 5
    metric = atomic_metric(rows)
    whitened = (rows - metric.mean) @ metric.whitening
    assert np.cov(whitened.T, bias=True) == pytest.approx(np.eye(32), abs=1e-8)
    assert whitened @ metric.unwhitening + metric.mean == pytest.approx(rows)


def test_a_channel_that_never_varies_does_not_count_without_bound():
    rows = planted(48, 32, 3000, active=3)[1]
    rows[:, 3] = 1.0
    metric = atomic_metric(rows)
    assert np.linalg.norm(metric.whitening, 2) == pytest.approx(1e3 / np.sqrt(rows.var(axis=0).mean()))


def test_rows_that_are_all_the_same_are_refused():
    with pytest.raises(ValueError, match="do not vary"):
        atomic_metric(np.ones((10, 4)))
