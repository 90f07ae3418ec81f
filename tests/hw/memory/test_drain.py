# amaranth: UnusedElaboratable=no
"""Drain: quiet after a reset only once no answer has come for long enough, and at once from then on."""

from __future__ import annotations

import pytest

from hw.memory.drain import DRAIN_CYCLES, Drain
from tests.hw.cycle_table import check_cycles

# how long it is still, and how often not, at first
STORY = {1: [(3, 1), (9, 2), (4, 1), (5, 0)], 4: [(3, 1), (2, 5), (3, 1), (30, 1), (1, 3), (6, 0)],
         DRAIN_CYCLES: [(1, 1), (DRAIN_CYCLES - 1, 1), (DRAIN_CYCLES + 20, 2), (8, 0)]}


@pytest.mark.parametrize("cycles", STORY)
def test_answers_in_between(cycles):
    still = [bit for high, low in STORY[cycles] for bit in [1] * high + [0] * low]
    quiet, run, drained = [0], 0, False
    for bit in still[:-1]:
        run = (run + 1) * bit
        drained = drained or run >= cycles
        quiet.append(int(bit and drained))
    assert 0 < sum(quiet) < len(quiet)
    check_cycles(Drain(cycles), inputs={"still": still}, outputs={"quiet": quiet})


def test_it_waits():
    with pytest.raises(ValueError, match="cycles must be positive, got 0"):
        Drain(0)
