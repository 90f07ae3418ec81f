# amaranth: UnusedElaboratable=no
"""Look-up array against the golden ternary product of one tile, a step a cycle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.boards.registry import BUILDS
from hw.linear.lookup_array import LookupArray
from models.golden.ternary_matmul import ternary_matmul
from tests.hw.cycle_table import check_cycles
from tests.hw.linear.table_filling import IDLE_FILL, fill_cycles, trits_index

BUILD = replace(BUILDS["sim-tiny"], name="array", ports=1, rows=2, outputs_per_step=4)
LANES = 4
STEPS = 40


def _fill(rng, array, q, bank, inputs):
    """The cycles that bring the activations q [rows, tile_inputs] to a bank."""
    words = q.reshape(BUILD.rows, -1, LANES)
    order = rng.permutation(words.shape[1])
    for word in order:
        inputs["activations"].append(words[:, word])
        inputs["load"].append(1 << int(word))
        inputs["fill"].append(IDLE_FILL)
    for fill in fill_cycles(bank):
        inputs["activations"].append(rng.integers(-128, 128, (BUILD.rows, LANES)))
        inputs["load"].append(0)
        inputs["fill"].append(fill)


def test_sums_of_a_tile():
    """Both banks in turn, one filled while the other is read; the largest sums either way."""
    rng = np.random.default_rng(1)
    array = LookupArray(BUILD, LANES)
    inputs = {"activations": [], "load": [], "fill": []}
    tiles = rng.integers(-128, 128, (4, BUILD.rows, BUILD.tile_inputs))
    tiles[1, 0], tiles[1, 1] = -128, 127
    steps = {}  # the bank and trits [outputs, inputs] of a cycle
    for n, q in enumerate(tiles):
        _fill(rng, array, q, n % 2, inputs)
        # reads up to the next bank's end, of it as well
        for at in range(STEPS):
            trits = rng.integers(-1, 2, (BUILD.outputs_per_step, BUILD.tile_inputs))
            trits[0] = (1, -1, trits[0])[min(at, 2)]
            steps[len(inputs["load"]) + at] = n, trits
        for _ in range(4):
            inputs["activations"].append(rng.integers(-128, 128, (BUILD.rows, LANES)))
            inputs["load"].append(0)
            inputs["fill"].append(IDLE_FILL)
    total = max(steps) + array.latency + 1
    for port, quiet in (("activations", np.zeros((BUILD.rows, LANES), int)), ("load", 0), ("fill", IDLE_FILL)):
        inputs[port] += [quiet] * (total - len(inputs[port]))
    empty = [[0] * BUILD.tables] * BUILD.outputs_per_step
    inputs |= {"indices": [empty] * total, "bank": [0] * total}
    sums = [None] * total
    for cycle, (n, trits) in steps.items():
        groups = trits.reshape(BUILD.outputs_per_step, BUILD.tables, 3)
        inputs["indices"][cycle] = [[trits_index(group) for group in output] for output in groups]
        inputs["bank"][cycle] = n % 2
        sums[cycle + array.latency] = ternary_matmul(tiles[n], trits)
    check_cycles(array, inputs=inputs, outputs={"sums": sums})


def test_lanes_are_checked():
    with pytest.raises(ValueError, match="24 inputs do not make words of 16"):
        LookupArray(BUILD, 16)
