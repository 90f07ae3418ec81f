"""Exp2Negative: softmax numerators bit for bit."""

from __future__ import annotations

import pytest

from hw.attention.exp2_negative import Exp2Negative
from sim.runner import run_bench


@pytest.mark.parametrize("stall", [0.0, 0.4], ids=["free", "stalls"])
def test_equals_golden(stall):
    run_bench(Exp2Negative(8), "tests.hw.attention.exp2_negative_bench", {"stall": stall})
