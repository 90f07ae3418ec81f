"""Differences of means in deviations, with their sign; what never changes tells nothing apart."""

import numpy as np
import pytest

from host.pipeline.features.separation import separations


def test_differences_are_in_deviations():
    toward = np.array([[1.0, 5, 2], [3, 5, 2]])
    away = np.array([[5.0, 5, 2], [7, 5, 2]])
    assert separations(toward, away) == pytest.approx([-4, 0, 0])
    assert separations(away, toward) == pytest.approx([4, 0, 0])
