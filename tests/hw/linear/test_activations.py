# amaranth: UnusedElaboratable=no
"""Activation memory against an array: elements of all rows and batches, read two cycles after they were written."""

from __future__ import annotations

import numpy as np
import pytest

from hw.linear.activations import ActivationMemory
from tests.hw.cycle_table import check_cycles

BITS, WIDE, DEPTH, ROWS, BATCHES = 8, 8, 5, 2, 2


@pytest.mark.parametrize("lanes", [1, 4, pytest.param(2, marks=pytest.mark.slow)])
def test_reads_see_writes(lanes):
    """Every element first, in any order; then writes and reads at random."""
    rng, slots = np.random.default_rng(1), ROWS * BATCHES
    places = [(row, index) for row in range(slots) for index in range(0, DEPTH * WIDE, lanes)]
    order = [places[n] for n in rng.permutation(len(places))]
    cycles = len(places) + 400
    held = np.full((cycles + 3, slots, DEPTH * WIDE), None)  # what is there in each cycle
    inputs = {name: [] for name in ("i__valid", "i__payload", "address", "batch")}
    words = [None] * (cycles + 1)
    for n in range(cycles):
        row, index = order[n] if n < len(order) else places[rng.integers(len(places))]
        values = rng.integers(-128, 128, lanes)
        valid = int(n < len(order) or rng.random() < 0.5)
        inputs["i__valid"].append(valid)
        inputs["i__payload"].append({"row": row, "index": index, "values": values})
        held[n + 2] = held[n + 1]
        if valid:
            held[n + 2, row, index:index + lanes] = values
        address, batch = int(rng.integers(DEPTH)), int(rng.integers(BATCHES))
        inputs["address"].append(address)
        inputs["batch"].append(batch)
        word = held[n, batch * ROWS:(batch + 1) * ROWS, address * WIDE:(address + 1) * WIDE]
        same = held[n + 1, batch * ROWS:(batch + 1) * ROWS, address * WIDE:(address + 1) * WIDE]
        if not any(value is None for value in word.flat) and (word == same).all():  # nothing is being written there
            words[n + 1] = word.tolist()
    assert sum(word is not None for word in words) > 200
    check_cycles(ActivationMemory(BITS, WIDE, DEPTH, ROWS, BATCHES, lanes=lanes), inputs=inputs,
                 outputs={"words": words[:cycles]})


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="word must be a multiple of 4 lanes, got 6"):
        ActivationMemory(8, 6, 4, 1, lanes=4)
    with pytest.raises(ValueError, match="must be positive"):
        ActivationMemory(8, 8, 0, 1, lanes=4)
