"""Data lines of ports, by the trits that come through them: on every build, each bit."""

import pytest

from host.bringup.port_lines import read_lines
from hw.boards.registry import BUILDS
from tests.host.board.simulated_fabric import SimulatedFabric, StuckBit


@pytest.mark.parametrize("build", BUILDS.values(), ids=lambda build: build.name)
def test_lines_that_are_well_are_all_right(build):
    found = read_lines(SimulatedFabric(build))
    assert [line.port for line in found] == list(range(build.ports))
    assert all(line.wrong == 0 and line.bits == () and line.bytes > 500 for line in found)


@pytest.mark.parametrize(("port", "bit"), [(0, 0), (3, 7), (2, 64), (1, 126)])
def test_a_stuck_line_is_found_and_no_other(port, bit):
    found = read_lines(SimulatedFabric(BUILDS["kv260"], stuck=StuckBit(port, bit)))
    assert [line.bits for line in found] == [(bit,) if line.port == port else () for line in found]
    assert found[port].wrong > 10
