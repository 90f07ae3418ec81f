"""The DDR model's own times against the sums of a DDR4-2133's, in C++ without a simulator."""

import subprocess
from pathlib import Path

import pytest

from sim.ddr_parameters import CLOCK_NS as CLOCK
from sim.ddr_parameters import DDR
from sim.verilated_core import HARNESS

ROW_CHANGE = 16 * CLOCK + 8  # ns, either half: what the memory needs, and what the controller adds


@pytest.fixture(scope="module")
def times(tmp_path_factory):
    program = tmp_path_factory.mktemp("ddr") / "probe"
    source = Path(__file__).with_name("ddr_probe.cpp")
    subprocess.run(["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{HARNESS}", source, "-o", program],
                   check=True)
    lines = subprocess.run([program], input=" ".join(map(str, DDR.to_model())), check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@pytest.mark.parametrize("what, expected", [
    ("read read other_group", 4 * CLOCK),
    ("read read same_group", 6 * CLOCK),
    ("read write", 8 * CLOCK),
    ("write read", (16 + 4 + 8) * CLOCK),
    ("row_change after_read", 8 * CLOCK + 2 * ROW_CHANGE),
    ("row_change after_write", (16 + 4 + 16) * CLOCK + 2 * ROW_CHANGE),
    ("activates two", 6 * CLOCK),
    ("activates eight", (32 + 3 * 6) * CLOCK),
])
def test_column_commands_keep_their_distance(times, what, expected):
    assert times[what] == expected


def test_a_lone_read_takes_225_ns_and_its_row(times):
    assert times["alone read"] == pytest.approx((225 + ROW_CHANGE) / 4, abs=1.5)


def test_a_write_waits_no_longer_than_it_may_under_a_stream_of_reads(times):
    assert (100 + 120) / 4 <= times["beside write"] <= (100 + 120 + 80) / 4


def test_ports_that_share_a_controller_port_share_its_width(times):
    assert times["two_ports shared"] == pytest.approx(31 * 7.5 / 4, abs=2)
    assert times["two_ports apart"] < 0.75 * times["two_ports shared"]
