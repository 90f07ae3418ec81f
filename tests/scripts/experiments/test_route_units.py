# amaranth: UnusedElaboratable=no
"""Routed against counted delay: what a path meets, what it takes beyond its levels, and the tables, on a made run."""

import json

import pytest

from hw.place.nextpnr import Placed
from hw.place.timing import TimedPath
from hw.synthesis.yosys import Run
from scripts.experiments import route_units
from scripts.experiments.route_units import CHANGES, main, route
from tests.hw.synthesis.netlists import lut, register, write_netlist

ECP5 = [
    register("in", "unit.row_0.a"), ("MULT18X18D", {"A0": "unit.row_0.a", "P0": "_1"}),
    ("DP16KD", {"ADA0": "unit.row_0.a", "DOA0": "_2"}),
    ("TRELLIS_DPR16X4", {"RAD": "unit.row_0.a _1 _2 x", "DO": "_3"}),
    lut("unit.row_0.a x", "_4"), ("PFUMX", {"BLUT": "_4", "ALUT": "_4", "C0": "x", "Z": "P"}), lut("x y", "_5"),
    register("_5", "unit.row_1.b"), register("P", "unit.out.c"), register("x", "unit.own"),
    *(register("P", f"unit.many.d[{n}]") for n in range(40))]
OUTPUTS = {"P0", "DOA0", "DO", "Z"}
"""Cells by number: 0 a, 1 product, 2 block RAM, 3 distributed RAM, 4 LUT before 5 multiplexer before 41 registers, 6
LUT, 7 to 9 registers."""


def timed(ns: float, levels: int, start: int, *through: str, end: str) -> TimedPath:
    return TimedPath(ns, ns / 2, levels, f"$cell{start}", end, tuple(f"$cell{name}" for name in through))


@pytest.fixture
def made(tmp_path, monkeypatch):
    """In place of the tools: the netlist above, and these paths."""
    def synthesise(verilog, top, technology, *, say):
        made = write_netlist(tmp_path / f"{technology.name}.json", ECP5, inputs="in x y clk")
        text = json.loads(made.read_text())
        for cell in text["modules"]["top"]["cells"].values():
            cell["port_directions"].update(dict.fromkeys(OUTPUTS & cell["connections"].keys(), "output"))
        made.write_text(json.dumps({"modules": {top: text["modules"]["top"]}}))
        return Run(made, "abc9", "0", 0.0, reused=True)

    monkeypatch.setattr(route_units, "synthesise", synthesise)
    monkeypatch.setattr(route_units, "_verilog", lambda engine, technology: "")

    def place(paths):
        monkeypatch.setattr(route_units, "place", lambda request, seeds, *, say: Placed(
            tmp_path, seeds[0], "0", 95.0, 3.0, {"TRELLIS_COMB": (8_364, 83_640)}, tuple(paths), {}))
    return place


def named(monkeypatch, names: dict[str, str]):
    """Ends that lie in units of these names, where a netlist made by hand has numbers."""
    monkeypatch.setattr(TimedPath, "unit", property(lambda path: names.get(path.end, "unit")))


def test_what_a_path_meets(made, monkeypatch):
    named(monkeypatch, {})
    made([timed(9, 1, 1, "6", end="$cell7"), timed(8, 1, 2, "6", end="$cell7"), timed(7, 1, 0, end="$cell2"),
          timed(6, 1, 0, end="$cell3$RAMW_SLICE"), timed(5, 1, 0, "3$DPRAM_COMB0", end="$cell7"),
          timed(4, 1, 0, "4", end="$cell8"), timed(3, 1, 0, "6", end="$cell7"),
          TimedPath(2, 1, 1, "$cell0", "$cell7", ("$nextpnr_CCU2C_3",))])
    found = route("control").paths
    assert [path.meets for path in found] == [
        "product", "block RAM", "block RAM", "distributed RAM, written", "distributed RAM, read",
        "LUTs, a net of 32 loads or more", "LUTs, nets under 32 loads", "LUTs, nets under 32 loads"]
    assert [path.loads for path in found[-3:]] == [41, 4, 4]  # the multiplexer's behind its LUT; those of a
    assert [path.wires for path in found] == [0.5] * 8


def test_units_have_their_levels_and_the_harness_has_none(made, monkeypatch):
    named(monkeypatch, {"$cell7": "unit$26.row_1.inner", "$cell8": "", "$cell9": "unit"})
    made([timed(4, 1, 0, "6", end="$cell7"), timed(3, 0, 0, end="shifted[3]"), timed(2, 0, 0, end="$cell9"),
          timed(1, 0, 0, end="$cell8")])
    engine = route("control")
    assert [(path.unit, path.ns) for path in engine.paths] == [("row", 4), ("(own)", 2), ("(ports)", 1)]
    assert engine.ecp5 == engine.ultrascale and engine.ecp5["row"] == 1 and engine.ecp5["(own)"] == 0


def test_tables_go_between_their_marks(made, monkeypatch, tmp_path, capsys):
    named(monkeypatch, {"$cell7": "unit.row_1", "$cell8": "unit.out"})
    made([timed(9, 1, 0, "4", end="$cell8"), timed(5, 2, 0, "6", end="$cell7"), timed(3, 1, 0, "6", end="$cell7")])
    document = tmp_path / "measurements.md"
    start, end = route_units._MARKS
    document.write_text(f"before\n{start}\nold\n{end}\nbehind\n")
    monkeypatch.setattr(route_units, "_DOCUMENT", document)
    main(["--unit", "control", "--seeds", "1", "--record"])
    text = document.read_text()
    assert text == f"before\n{start}\n{capsys.readouterr().out}{end}\nbehind\n" and "old" not in text
    assert "| control | - | 8,364 | 10% | 95.0 | 1 |" in text
    assert "through 2 paths of LUTs and short nets: 1.00 ns, and 2.00 ns a level" in text
    assert "| LUTs, a net of 32 loads or more | 1 | 1.0 | 9.0 | 50% | 41 | +6.0 |" in text
    rows = text[text.index("| unit |"):].splitlines()[2:4]
    assert rows == [
        "| control.out | 1 | 1 | 9.0 | 50% | 1 | 41 | LUTs, a net of 32 loads or more | +6.0 |",
        "| control.row | 1 | 1 | 5.0 | 50% | 2 | 4 | LUTs, nets under 32 loads | +0.0 |"]


@pytest.mark.parametrize("engine", CHANGES)
def test_no_engine_is_larger_than_the_kv260s(engine):
    build, whole = route_units._build(engine), route_units.KV260.build
    assert all(getattr(build, name) < getattr(whole, name) for name in CHANGES[engine]) and build.name == "ulx3s"


def test_an_engine_lies_folded_below_its_harness():
    verilog = route_units._verilog("head", route_units.ULX3S.technology)
    assert "module head(" in verilog
    assert f"module head__{route_units.FOLDED}$" in verilog  # it has a port of that name
    assert "__reset_tree (rst, " in verilog
