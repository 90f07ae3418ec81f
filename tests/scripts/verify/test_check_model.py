"""The analytic model held against the Verilog: a small build in seconds, the sets of the command where one has time."""

from dataclasses import replace

import pytest

from hw.boards.device import NONE
from hw.boards.registry import BUILDS
from hw.report import Report
from scripts.verify import check_model
from scripts.verify.check_model import SETS, Line, cycle_lines, main, site_lines
from sim.bench.workload import load_workload

TINY = BUILDS["sim-tiny"]


@pytest.mark.slow  # compiles sim-tiny's own core
def test_the_small_build_takes_the_predicted_cycles():
    lines = list(cycle_lines("tiny", TINY, load_workload("demo", layers=2, vocabulary=64)))
    cycles = {line.what: line for line in lines if "cycles" in line.what}
    assert list(cycles) == ["decode, 1 row, cycles"]  # of one row a pass is a token
    for line in lines:
        assert abs(line.error) <= 0.05, line


def test_an_error_has_a_sign_and_a_bar():
    assert Line("a", "lut", 110, 100, 0.2).error == pytest.approx(0.1)
    assert str(Line("a", "lut", 110, 100, 0.2)).endswith("+10.00 %  ok")
    assert str(Line("a", "lut", 70, 100, 0.2)).endswith("-30.00 %  OFF")
    assert str(Line("a", "dsp", 0, 1, None)).rstrip().endswith("-100.00 %")
    assert Line("a", "uram", 0, 0, None).error == 0 and Line("a", "uram", 1, 0, None).error == 1


def test_sites_are_those_of_the_engine(monkeypatch):
    asked = []

    def report(verilog, top, device, *, say):
        asked.append(top)
        return Report(device, None, replace(NONE, lut=10_000, uram=3), None, None, [])

    monkeypatch.setattr(check_model, "make_report", report)
    monkeypatch.setattr(check_model, "unit_verilog", lambda build, unit: asked.append(unit))
    lines = {line.what: line for line in site_lines("tiny", TINY)}
    assert asked == ["engine", "engine"] and lines["lut"].true == 10_000 and lines["lut"].within == 0.20
    assert lines["uram"].predicted == 0 and lines["uram"].error == -1


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_every_set_is_within_its_bars(name):
    with pytest.raises(SystemExit) as exit_:
        main(["--set", name])
    assert exit_.value.code == 0
