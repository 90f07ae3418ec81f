# amaranth: UnusedElaboratable=no
"""Bit clock: when it ticks, and which lines it refuses."""

from __future__ import annotations

import pytest

from hw.link.bit_clock import BitClock
from tests.hw.link.simulated import watch


@pytest.mark.parametrize("cycles", [4, 5.3, 20, 20.83])
@pytest.mark.parametrize("first", [0.5, 1])
def test_ticks_come_once_a_bit(cycles, first):
    baud, ticks, restarted = 1000, [], 2
    count = int(20 * cycles)
    given = [{"restart": int(n <= restarted)} for n in range(count)]
    for n, now in enumerate(watch(BitClock(cycles * baud / 1e6, baud, first=first), given, ["tick"])):
        if now["tick"]:
            ticks.append(n)
    assert len(ticks) >= 15
    for n, tick in enumerate(ticks):
        due = restarted + (first + n) * cycles
        assert due - 0.05 <= tick < due + 1.05, (n, tick, due)


@pytest.mark.parametrize("clock_mhz, baud, message", [
    (10, 3_000_000, "a bit must take 4 to 1024 cycles, got 3.33333: 3000000 baud at 10 MHz"),
    (60, 9600, "a bit must take 4 to 1024 cycles, got 6250: 9600 baud at 60 MHz"),
    (60, 0, "clock and baud must be positive, got 60 MHz and 0"),
    (-1, 9600, "clock and baud must be positive, got -1 MHz and 9600")])
def test_a_line_that_does_not_fit_is_refused(clock_mhz, baud, message):
    with pytest.raises(ValueError, match=message):
        BitClock(clock_mhz, baud, first=1)
