# amaranth: UnusedElaboratable=no
"""Read master against an AXI memory that answers in any order."""

import pytest

from hw.boards.technology import ECP5, ULTRASCALE_PLUS
from hw.memory.read_master import ReadMaster
from sim.runner import run_bench


@pytest.mark.parametrize("technology", [ULTRASCALE_PLUS, ECP5], ids=lambda technology: technology.name)
def test_bench(technology):
    run_bench(ReadMaster(3, outstanding=5), "tests.hw.memory.read_master_bench", {"clients": 3, "outstanding": 5},
              technology=technology)


def test_parameters():
    with pytest.raises(ValueError, match="clients must be 1 to 16, got 17"):
        ReadMaster(17)
    with pytest.raises(ValueError, match="outstanding must be positive, got 0"):
        ReadMaster(1, outstanding=0)
