"""Rates from the fabric's counters."""

import pytest

from host.bringup.bandwidth import PLACEMENTS, measure_placements
from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY
from hw.boards.registry import BUILDS
from tests.host.board.simulated_fabric import SimulatedFabric


def test_each_placement_is_measured_and_each_port_by_itself():
    build = BUILDS["kv260"]
    found = measure_placements(SimulatedFabric(build, rates=(1, 0.75, 0.5, 1)), 250.0, 1 << 16)
    assert [(p.beats, p.apart) for p in found] == [(beats, beats * 16) for beats in PLACEMENTS]
    for placement in found:
        assert placement.port_gb_s == pytest.approx((4, 3, 2, 4), rel=1e-3)
        assert placement.gb_s == pytest.approx(8, rel=1e-3)


def test_a_clock_of_the_board_is_what_counts():
    found = measure_placements(SimulatedFabric(BUILDS["arty_z7"]), 50.0, 1 << 14)
    assert [p.gb_s for p in found] == pytest.approx([0.8] * len(found))


@pytest.mark.parametrize("kernels", ["auto", NUMPY])
def test_a_device_that_counts_nothing_says_nothing(kernels):
    assert measure_placements(EmulatorDevice(BUILDS["sim-tiny"], kernels=kernels), 250.0, 1 << 14) == []
