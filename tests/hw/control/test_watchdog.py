# amaranth: UnusedElaboratable=no
"""Watchdog against its rule: so many cycles in a row without progress."""

from __future__ import annotations

import numpy as np

from hw.control.watchdog import Watchdog
from tests.hw.cycle_table import check_cycles

LATE = 2


def expected(limits, enable, progress):
    """A value a cycle: None where it may be late."""
    quiet, result = 0, []
    for limit, on, moved in zip(limits, enable, progress, strict=True):
        result.append(0 if not limit or quiet < limit else 1 if quiet >= limit + LATE else None)
        quiet = quiet + 1 if on and not moved else 0
    return result


def test_expires_by_the_rule():
    """No limit, limits of one cycle to many, the largest; a wait that ends just before the limit, and one after it."""
    rng = np.random.default_rng(1)
    limits, enable, progress = [], [], []
    for limit in (0, 1, 2, 7, 40, 2**32 - 1, 3):
        wait = min(limit, 60)
        cycles = [(0, 0), *[(1, 0)] * max(0, wait - 1), (1, 1), *[(1, 0)] * (wait + 5), (1, 1)]
        cycles += [(int(rng.random() > 0.03), int(rng.random() < 1 / (1 + limit % 50))) for _ in range(200)]
        cycles += [(1, 1)] * 2
        limits += [limit] * len(cycles)
        enable += [on for on, _ in cycles]
        progress += [moved for _, moved in cycles]
    values = expected(limits, enable, progress)
    assert values.count(1) > 50 and values.count(None) > 20
    check_cycles(Watchdog(), inputs={"limit": limits, "enable": enable, "progress": progress},
                 outputs={"expired": values})
