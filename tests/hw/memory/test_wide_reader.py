# amaranth: UnusedElaboratable=no
"""Wide reader: ranges of one beat and of many blocks, from two ports."""

from __future__ import annotations

import numpy as np
import pytest

from hw.boards.registry import BUILDS
from hw.memory.wide_reader import WideReader
from sim.runner import run_bench


def test_bench():
    build, size, rng = BUILDS["sim-tiny"], 1 << 16, np.random.default_rng(1)
    requests = []
    for beats in (1, 16, 17, 3, 40, 0, 100, *rng.integers(1, 50, 6)):
        length = int(beats) * build.beat_bytes
        requests.append({"address": int(rng.integers((size - length) // build.stream_align)) * build.stream_align,
                         "bytes": length})
    run_bench(WideReader(build.ports, depth=32, requests=4), "tests.hw.memory.wide_reader_bench",
              {"build": build.to_json(), "size": size, "requests": requests})


@pytest.mark.parametrize("ports", [0, 3])
def test_ports_are_checked(ports):
    with pytest.raises(ValueError, match=f"ports must be a power of two, got {ports}"):
        WideReader(ports, depth=32, requests=4)
