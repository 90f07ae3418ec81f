"""The KV260's paths in the order of weights that routed engines gave."""

from types import SimpleNamespace

import pytest

from models.errors import OptionError
from scripts.experiments import doubtful_paths
from scripts.experiments.doubtful_paths import main
from scripts.experiments.route_units import CHANGES
from scripts.experiments.routed_paths import RoutedPath
from tests.hw.synthesis.netlists import lut, register, write_netlist

CELLS = [register("in", "a"), lut("a b", "_1"), lut("_1 b", "_2"), register("_2", "unit.far"), register("in", "start"),
         lut("start b", "_3"), register("_3", "unit.near"), *(register("_3", f"q{n}") for n in range(130))]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """In place of the tools: engines in which a level takes 1 ns and a net of many loads 2.5 more, and the netlist."""
    asked = []

    def route(engine, seeds, say):
        asked.append((engine, seeds))
        return SimpleNamespace(paths=[
            RoutedPath(engine, "u", 2 + levels + 2.5 * many, 0.5, levels, 1, (0, many, 0, 0, 0, 0), "", "")
            for levels in (0, 1) for many in (0, 1)])

    def synthesise(verilog, top, technology, *, say):
        assert (verilog, top, technology.name) == ("the core", "tritloom", "UltraScale+")
        netlist = write_netlist(tmp_path / "netlist.json", CELLS, inputs="in b clk")
        netlist.write_text(netlist.read_text().replace('"top"', '"tritloom"'))
        return SimpleNamespace(netlist=netlist)

    monkeypatch.setattr(doubtful_paths, "route", route)
    monkeypatch.setattr(doubtful_paths, "synthesise", synthesise)
    monkeypatch.setattr(doubtful_paths, "kept_verilog", lambda build: ("the core", build.name))
    return asked


def test_paths_stand_between_the_marks_by_their_weight(made, monkeypatch, tmp_path, capsys):
    document = tmp_path / "board.md"
    start, end = doubtful_paths._MARKS
    document.write_text(f"before\n{start}\n{end}\nbehind\n")
    monkeypatch.setattr(doubtful_paths, "_DOCUMENT", document)
    main(["--count", "2", "--seeds", "1", "--record"])
    assert document.read_text() == f"before\n{start}\n{capsys.readouterr().out}{end}\nbehind\n"
    assert document.read_text().splitlines()[2:7] == [
        "Weights in levels: a net of many loads 0.0 and 2.5, distributed RAM read 0.0, written 0.0, block RAM 0.0.", "",
        "| weighed | levels | from | through | to |", "| --- | --- | --- | --- | --- |",
        "| 3.5 | 1 | `start` | LUT2 (131 loads) | `unit.near/D` |"]
    assert made == [(engine, (1,)) for engine in CHANGES]


def test_one_engine_can_be_named_and_a_count_of_none_is_refused(made):
    main(["--unit", "head"])
    assert made.pop() == ("head", (1, 2))
    with pytest.raises(OptionError, match="--count must be at least 1, got 0"):
        main(["--count", "0"])
    assert made == []
