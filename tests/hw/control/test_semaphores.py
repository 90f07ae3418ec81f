# amaranth: UnusedElaboratable=no
"""Semaphores against counters."""

import pytest

from hw.control.semaphores import Semaphores
from sim.runner import run_bench


def test_bench():
    run_bench(Semaphores(3), "tests.hw.control.semaphores_bench", {"engines": 3})


def test_parameters():
    with pytest.raises(ValueError, match="engines must be positive, got 0"):
        Semaphores(0)
