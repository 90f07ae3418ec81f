"""The core that whole models run on in the tests: one build for all of them, since it takes minutes to compile."""

from __future__ import annotations

from dataclasses import replace

from hw.boards.registry import BUILDS

__all__ = ["FOUR_SLOTS"]

FOUR_SLOTS = replace(BUILDS["sim-tiny"], name="four slots", rows=2, row_batches=2, accumulator_words=2048, head_rows=4)
"""`sim-tiny` with two groups of two rows that take turns."""
