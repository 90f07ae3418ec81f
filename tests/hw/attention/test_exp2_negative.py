"""Exp2Negative: softmax numerators bit for bit."""

from __future__ import annotations

from hw.attention.exp2_negative import Exp2Negative
from sim.runner import run_bench


def test_equals_golden():
    run_bench(Exp2Negative(8), "tests.hw.attention.exp2_negative_bench")
