# amaranth: UnusedElaboratable=no
"""Event counter against the sum since its last clear."""

from __future__ import annotations

import numpy as np
import pytest

from hw.stream.event_counter import EventCounter
from tests.hw.cycle_table import check_cycles


def test_counts():
    """Sums that pass 2**32, clears one after another, the largest event."""
    rng, cycles = np.random.default_rng(1), 400
    events = (rng.integers(0, 1 << 32, cycles) >> rng.choice([0, 0, 20, 31], cycles)).tolist()
    events[:4] = [1, 2**32 - 1, 2**32 - 1, 1]
    clear = (rng.random(cycles) < 0.02).astype(int).tolist()
    clear[90:93] = [1, 1, 1]
    counts = []
    for n in range(cycles):
        since = max((at + 1 for at in range(n) if clear[at]), default=0)
        counts.append(sum(events[since:max(n - 1, 0)]) % 2**32)
    check_cycles(EventCounter(32), inputs={"events": events, "clear": clear}, outputs={"count": counts})


@pytest.mark.parametrize("bits", [0, 33])
def test_widths_are_checked(bits):
    with pytest.raises(ValueError, match=f"event_bits must be 1 to 32, got {bits}"):
        EventCounter(bits)
