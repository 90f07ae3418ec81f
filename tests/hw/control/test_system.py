"""Runs through the register bus, against models of the engines and of the descriptors' memory."""

from hw.boards.registry import BUILDS
from hw.control.system import ControlSystem
from sim.runner import run_bench

BUILD_ID = 0x89ABCDEF


def test_bench():
    control = ControlSystem(BUILDS["sim-tiny"], build_id=BUILD_ID)
    run_bench(control, "tests.hw.control.system_bench", {"build_id": BUILD_ID})
