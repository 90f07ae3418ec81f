# amaranth: UnusedElaboratable=no
"""Engines routed alone: what is built, and the tables of a made run."""

import json
from types import SimpleNamespace

import pytest

from hw.place.nextpnr import Placed
from hw.place.timing import TimedPath
from scripts.experiments import route_units
from scripts.experiments.route_units import CHANGES, main, route
from tests.hw.synthesis.netlists import lut, register, write_netlist

CELLS = [register("in", "unit.row_0.a"), lut("unit.row_0.a x", "_1"), register("_1", "unit.row_1.b"), lut("_1 y", "_2"),
         register("_2", "unit.c"), *(register("_2", f"unit.many.d[{n}]") for n in range(40))]
"""By number: 0 a, 1 LUT, 2 b, 3 LUT, 4 c."""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """In place of the tools: the netlist above, and two paths of it."""
    units = {"$cell2": "unit.row_1", "$cell4": "unit"}
    asked = []

    def synthesise(verilog, top, technology, *, say):
        asked.append((verilog, top, technology.name))
        text = json.loads(write_netlist(tmp_path / "netlist.json", CELLS, inputs="in x y clk").read_text())
        netlist = tmp_path / f"{top}.json"
        netlist.write_text(json.dumps({"modules": {top: text["modules"]["top"]}}))
        return SimpleNamespace(netlist=netlist)

    def place(request, seeds, *, say):
        asked.append((request.netlist.name, request.device.part, seeds))
        return Placed(tmp_path, seeds[0], "0", 95.0, 3.0, {"TRELLIS_COMB": (8_364, 83_640)}, (
            TimedPath(9, 4.5, 2, "$cell0", "$cell4", ("$cell1", "$cell3")),
            TimedPath(5, 4, 1, "$cell0", "$cell2", ("$cell1",)), TimedPath(4, 4, 1, "$cell0", "$cell2", ("$cell1",)),
            TimedPath(3, 2, 0, "$cell0", "$cell2", ())), {})

    monkeypatch.setattr(route_units, "synthesise", synthesise)
    monkeypatch.setattr(route_units, "place", place)
    monkeypatch.setattr(route_units, "_verilog", lambda engine, technology: f"{engine} for {technology.name}")
    monkeypatch.setattr(TimedPath, "unit", property(lambda path: units[path.end]))
    return asked


def test_an_engine_is_mapped_for_both_and_placed_for_the_small_one(made):
    engine = route("memory", (3,))
    assert made == [("memory for ECP5", "memory", "ECP5"), ("memory for UltraScale+", "memory", "UltraScale+"),
                    ("memory.json", "LFE5U-85F-6BG381C", (3,))]
    assert engine.placed.seed == 3 and [path.unit for path in engine.paths] == ["(own)", "row", "row", "row"]
    assert engine.ecp5 == engine.ultrascale == {"row": 1, "(own)": 2, "many": 2}


def test_tables_go_between_their_marks(made, monkeypatch, tmp_path, capsys):
    document = tmp_path / "measurements.md"
    start, end = route_units._MARKS
    document.write_text(f"before\n{start}\nold\n{end}\nbehind\n")
    monkeypatch.setattr(route_units, "_DOCUMENT", document)
    main(["--unit", "control", "--seeds", "1", "--record"])
    text = document.read_text()
    assert text == f"before\n{start}\n{capsys.readouterr().out}{end}\nbehind\n" and "old" not in text
    assert "| control | - | 8,364 | 10% | 95.0 | 1 |" in text
    assert "4 paths: a line over their levels explains 87% of their delays' variance" in text
    assert "all below 98%: 3.00 ns, 1.50 ns a level, and:" in text
    assert "| a net of 32 to 127 loads | 1 | 3.0 | 2.0 |" in text and "| product | 0 | 0.0 | 0.0 |" in text
    assert text[text.index("| unit |"):].splitlines()[2:4] == [
        "| control.(own) | 2 | 2 | 9.0 | 50% | 2 | 41 | a net of 32 to 127 loads | +3.0 |",
        "| control.row | 1 | 1 | 5.0 | 80% | 1 | 2 | - | +0.5 |"]


def test_paths_as_json(made, capsys):
    main(["--unit", "head", "--json"])
    paths = json.loads(capsys.readouterr().out)
    assert [(path["engine"], path["ns"]) for path in paths] == [("head", 9), ("head", 5), ("head", 4), ("head", 3)]


@pytest.mark.parametrize("engine", CHANGES)
def test_no_engine_is_larger_than_the_kv260s(engine):
    build, whole = route_units._build(engine), route_units.KV260.build
    assert all(getattr(build, name) < getattr(whole, name) for name in CHANGES[engine]) and build.name == "ulx3s"


def test_an_engine_lies_folded_below_its_harness():
    verilog = route_units._verilog("head", route_units.ULX3S.technology)
    assert "module head(" in verilog
    assert "module head__unit$" in verilog  # it has a port of that name
    assert "__reset_tree (rst, " in verilog
