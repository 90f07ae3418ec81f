# amaranth: UnusedElaboratable=no
"""Row gather against the layouts of the head's stream and of striping."""

from dataclasses import asdict, replace

import pytest

from hw.boards.registry import BUILDS
from hw.memory.row_gather import RowGather
from sim.runner import run_bench


@pytest.mark.parametrize(("ports", "hidden"), [
    (2, 1500), *(pytest.param(*other, marks=pytest.mark.slow) for other in ((1, 80), (4, 2560)))])
def test_bench(ports, hidden):
    build = replace(BUILDS["sim-tiny"], ports=ports, hidden_max=hidden)
    run_bench(RowGather(build), "tests.hw.memory.row_gather_bench", {"build": asdict(build)})


def test_parameters():
    with pytest.raises(ValueError, match="ports must be a power of two, got 3"):
        RowGather(replace(BUILDS["sim-tiny"], ports=3))
    with pytest.raises(ValueError, match="a row of 1000 beats may not fit two groups"):
        RowGather(replace(BUILDS["sim-tiny"], ports=1, hidden_max=16_000))
