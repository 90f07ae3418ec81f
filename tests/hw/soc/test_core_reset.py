# amaranth: UnusedElaboratable=no
"""Core reset: how long the two last, from pulses of any length and distance."""

from __future__ import annotations

from hw.soc.core_reset import CUT_CYCLES, RESET_CYCLES, CoreReset
from tests.hw.cycle_table import check_cycles


def test_pulses():
    request = [0] * 3 + [1] + [0] * 60 + [1] * 5 + [0] * 60 + [1] + [0] * 10 + [1] + [0] * (CUT_CYCLES - 1) + [1] + [0] * 60
    since, reset, cut = CUT_CYCLES, [], []
    for asked in request:
        reset.append(int(since < RESET_CYCLES))
        cut.append(int(asked or since < CUT_CYCLES))
        since = 0 if asked else since + 1
    check_cycles(CoreReset(), inputs={"request": request}, outputs={"reset": reset, "cut": cut})
