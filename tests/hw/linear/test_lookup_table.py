# amaranth: UnusedElaboratable=no
"""Look-up table: every signed sum of three activations, by the dot product."""

from __future__ import annotations

import numpy as np
import pytest

from hw.linear.lookup_table import LookupTable
from tests.hw.cycle_table import check_cycles
from tests.hw.linear.table_filling import ALL_TRITS, IDLE_FILL, fill_cycles, trits_index

READS, ROWS = 2, 3


def _cycles(rng, loads):
    """Loads of groups [rows, 3] into banks in turn; each is filled while the bank before is read in any order."""
    inputs = {"groups": [], "load": [], "fill": [], "addresses": []}
    entries, held = [], [None, None]  # of each bank: its groups

    def cycle(groups=None, load=0, fill=IDLE_FILL, busy=None):
        addresses, expected = [], []
        for _ in range(READS):
            bank = int(rng.integers(2)) if busy is None else 1 - busy
            trits = ALL_TRITS[rng.integers(len(ALL_TRITS))]
            addresses.append(bank << 5 | trits_index(trits))
            expected.append(None if held[bank] is None else (np.array(held[bank]) @ trits).tolist())
        for port, value in zip(inputs, (rng.integers(-128, 128, (ROWS, 3)) if groups is None else groups, load, fill,
                                        addresses), strict=True):
            inputs[port].append(value)
        entries.append(None if None in expected else expected)

    for n, groups in enumerate(loads):
        for part in rng.permutation(3):
            noise = rng.integers(-128, 128, (ROWS, 3))
            noise[:, part] = np.array(groups)[:, part]
            cycle(noise, 1 << int(part), busy=n % 2 if held[n % 2] is None else None)
        for fill in fill_cycles(n % 2):
            cycle(fill=fill, busy=n % 2)
        held[n % 2] = groups
        for _ in range(20):
            cycle()
    return inputs, {"entries": entries}


def test_entries_are_dot_products():
    rng = np.random.default_rng(1)
    extremes = [[[127] * 3, [-128] * 3, [0] * 3], [[-128, 127, -128], [127, -128, 127], [1, 0, -1]]]
    inputs, outputs = _cycles(rng, [*extremes, *rng.integers(-128, 128, (6, ROWS, 3)).tolist()])
    check_cycles(LookupTable(READS, ROWS), inputs=inputs, outputs=outputs)


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="at least one read port and one row, got 0 and 1"):
        LookupTable(0, 1)
