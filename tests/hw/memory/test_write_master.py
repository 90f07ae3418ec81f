# amaranth: UnusedElaboratable=no
"""Write master against an AXI memory that answers in any order."""

import pytest

from hw.memory.write_master import WriteMaster
from sim.runner import run_bench


def test_bench():
    run_bench(WriteMaster(2, outstanding=4), "tests.hw.memory.write_master_bench", {"clients": 2, "outstanding": 4})


def test_parameters():
    with pytest.raises(ValueError, match="clients must be 1 to 16, got 0"):
        WriteMaster(0)
    with pytest.raises(ValueError, match="outstanding must be positive, got 0"):
        WriteMaster(1, outstanding=0)
