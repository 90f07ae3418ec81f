# amaranth: UnusedElaboratable=no
"""Stripe walk: parts of no, some and many whole groups, with and without a tail, a buffer that fills."""

from __future__ import annotations

from hw.memory.stripe_walk import StripeWalk
from sim.runner import run_bench


def test_bench():
    ports, depth = 3, 128
    parts = [{"start": start, "tail": tail, "groups": groups, "rest": rest} for start, tail, groups, rest in (
        (5, 99, 0, 3), (1000, 5000, 1, 0), (64, 7000, 2, 17), (0, 0, 0, 0), (2**32 - 1, 3, 0, 1),
        (12345, 2**32 - 63, 1, 63), (7, 8, 0, 63), (300, 0, 3, 0), (9, 9, 0, 1))]
    run_bench(StripeWalk(ports, depth), "tests.hw.memory.stripe_walk_bench",
              {"parts": parts, "ports": ports, "depth": depth})
