# amaranth: UnusedElaboratable=no
"""Accumulator reader: ranges of every size, rows of all batches, stalls on every side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hw.boards.registry import BUILDS
from hw.linear.reader import AccumulatorReader
from sim.runner import run_bench

BUILD = replace(BUILDS["sim-tiny"], name="words of eight", rows=2, row_batches=2, outputs_per_step=8,
                accumulator_words=64)


def test_bench():
    outputs = BUILD.outputs_per_step
    rng, most = np.random.default_rng(1), BUILD.batch_words * outputs
    sizes = [1, 3, 4, 5, outputs, outputs + 1, most, *rng.integers(1, most + 1, 8)]
    requests = [{"accumulator": rng.integers(0, BUILD.batch_words + 1 - -(-int(size) // outputs)), "count": size,
                 "row": rng.integers(BUILD.slots)} for size in sizes]
    run_bench(AccumulatorReader(BUILD), "tests.hw.linear.reader_bench",
              {"build": BUILD.to_json(), "requests": requests})
