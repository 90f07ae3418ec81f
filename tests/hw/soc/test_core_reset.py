# amaranth: UnusedElaboratable=no
"""Core reset: how long the two last, from pulses of any length and distance."""

from __future__ import annotations

from hw.soc.core_reset import CUT_CYCLES, RESET_CYCLES, CoreReset
from tests.hw.cycle_table import check_cycles


def test_pulses():
    pauses = (3, 60, 0, 0, 0, 60, 10, CUT_CYCLES - 1, CUT_CYCLES)
    request = [bit for pause in pauses for bit in [0] * pause + [1]] + [0] * 60
    since, reset, cut = CUT_CYCLES, [], []
    for asked in request:
        reset.append(int(since < RESET_CYCLES))
        cut.append(int(since < CUT_CYCLES))
        since = 0 if asked else since + 1
    check_cycles(CoreReset(), inputs={"request": request}, outputs={"reset": reset, "cut": cut})
