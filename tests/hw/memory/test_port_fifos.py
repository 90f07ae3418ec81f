# amaranth: UnusedElaboratable=no
"""Port FIFOs with ports at different paces."""

import pytest

from hw.memory.port_fifos import PortFifos
from sim.runner import run_bench


def test_bench():
    run_bench(PortFifos(2, 16), "tests.hw.memory.port_fifos_bench", {"ports": 2, "depth": 16})


def test_parameters():
    with pytest.raises(ValueError, match="ports must be positive, got 0"):
        PortFifos(0, 16)
