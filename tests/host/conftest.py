"""Fixtures of the host's tests."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    """Random numbers, the same in every test."""
    return np.random.default_rng(5)
