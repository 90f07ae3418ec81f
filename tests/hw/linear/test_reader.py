# amaranth: UnusedElaboratable=no
"""Accumulator reader: ranges of every size, rows of all batches, stalls on every side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.boards.registry import BUILDS
from hw.linear.reader import AccumulatorReader
from sim.runner import run_bench

BUILD = replace(BUILDS["sim-tiny"], name="words of eight", rows=2, row_batches=2, outputs_per_step=8,
                accumulator_words=64)


@pytest.mark.parametrize("lanes", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_bench(lanes):
    build, outputs = replace(BUILD, lanes=lanes), BUILD.outputs_per_step
    rng, most = np.random.default_rng(1), BUILD.batch_words * outputs
    sizes = [1, 3, 4, 5, outputs, outputs + 1, most, *rng.integers(1, most + 1, 8)]
    requests = [{"accumulator": rng.integers(0, BUILD.batch_words + 1 - -(-int(size) // outputs)), "count": size,
                 "row": rng.integers(BUILD.slots)} for size in sizes]
    run_bench(AccumulatorReader(build), "tests.hw.linear.reader_bench",
              {"build": build.to_json(), "requests": requests})
