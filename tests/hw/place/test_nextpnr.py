"""Runs of nextpnr: a real one of a few cells, and what is done around it, with a tool in its place."""

import gzip
import json
from dataclasses import replace

import pytest
from amaranth.hdl import Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arith.mult18 import registered_parts
from hw.boards.floorplan import BlockRow
from hw.boards.registry import BOARDS
from hw.place import nextpnr
from hw.place.nextpnr import BITSTREAM, CROWDED, Request, place
from hw.synthesis.yosys import synthesise
from hw.verilog import to_verilog
from models.errors import BuildError

ULX3S = BOARDS["ulx3s"].device


class Square(wiring.Component):
    """In a multiplier of the chip, whose settings the bitstream must know."""

    def __init__(self):
        super().__init__({"a": In(8), "o": Out(16)})

    def elaborate(self, platform):
        m = Module()
        ((_, product),) = registered_parts(m, self.a, self.a, Const(1))
        m.d.comb += self.o.eq(product)
        return m


@pytest.fixture(scope="module")
def request_of_a_counter(tmp_path_factory):
    """Eight bits that count, and a register behind them and their square."""
    verilog = """
module small(input clk, output reg [7:0] out);
  reg [7:0] count = 0;
  wire [15:0] squared;
  square square(.clk(clk), .rst(1'b0), .a(count), .o(squared));
  always @(posedge clk) begin count <= count + 1; out <= squared[11:4] ^ {count[0], count[7:1]}; end
endmodule
""" + to_verilog(Square(), ULX3S.technology, name="square")
    run = synthesise(verilog, "small", ULX3S.technology, tmp_path_factory.mktemp("yosys"))
    return Request(run.netlist, ULX3S, 100)


def test_a_design_is_routed_timed_and_the_same_twice(request_of_a_counter, tmp_path):
    first, second = (place(request_of_a_counter, [3], tmp_path / name) for name in ("first", "second"))
    assert (first.folder / BITSTREAM).read_bytes() == (second.folder / BITSTREAM).read_bytes()
    assert replace(first, folder=second.folder, seconds=second.seconds) == second
    assert first.sites["TRELLIS_FF"] == (16, 83_640) and first.sites["MULT18X18D"] == (1, 156)
    assert first.pads.keys() == {f"out[{bit}]" for bit in range(8)}
    assert first.paths[0].ns == pytest.approx(1000 / first.clock_mhz, rel=1e-3)  # ours and nextpnr's
    said = []
    again = place(request_of_a_counter, [3], tmp_path / "first", say=said.append)
    assert again == first and said == []


def tool(monkeypatch, achieved: dict[int, float | None]):
    """In nextpnr's place: clocks by seed, None where the design cannot be routed."""
    seeds = []

    def run(folder, name, arguments, what, say):
        if name == "ecppack":
            return (folder / BITSTREAM).write_text("bits")
        assert "--85k --speed 6 --package CABGA381" in " ".join(arguments)
        seeds.append(seed := int(arguments[arguments.index("--seed") + 1]))
        if achieved[seed] is None:
            raise BuildError(f"{what} failed: ERROR: no route")
        report = {"fmax": {"clk": {"achieved": achieved[seed]}, "other": {"achieved": 400.0}},
                  "utilization": {"TRELLIS_FF": {"used": 1, "available": 2}, "GSR": {"used": 0, "available": 1}}}
        (folder / "report.json").write_text(json.dumps(report))
        (folder / "delays.sdf").write_text("")

    monkeypatch.setattr(nextpnr, "_tool", run)
    return seeds


@pytest.fixture
def some(tmp_path):
    with gzip.open(tmp_path / "netlist.json.gz", "wt") as file:
        file.write("{}")
    return Request(tmp_path / "netlist.json.gz", ULX3S, 60, 'LOCATE COMP "rx" SITE "M1";')


def test_the_fastest_seed_is_taken(some, tmp_path, monkeypatch):
    seeds, said = tool(monkeypatch, {1: 61.5, 2: 70.25, 3: 70.25, 4: None}), []
    placed = place(some, (1, 2, 3, 4), tmp_path, say=said.append)
    assert (placed.seed, placed.clock_mhz, placed.sites) == (2, 70.25, {"TRELLIS_FF": (1, 2)})
    assert sorted(seeds) == [1, 2, 3, 4] and any("seed 4" in line and "no route" in line for line in said)
    place(replace(some, constraints=""), (1,), tmp_path)
    assert len(seeds) == 5  # other pins are another run


def test_where_no_seed_is_routed_the_tool_has_the_last_word(some, tmp_path, monkeypatch):
    tool(monkeypatch, {1: None, 2: None})
    with pytest.raises(BuildError, match="seed 1 failed: ERROR: no route"):
        place(some, (1, 2), tmp_path)


def test_a_floorplan_is_in_the_netlist(some, tmp_path, monkeypatch):
    cell = {"type": "MULT18X18D", "attributes": {}}
    with gzip.open(some.netlist, "wt") as file:
        json.dump({"modules": {"top": {"attributes": {"top": "1"}, "cells": {"a.x": cell}}}}, file)
    given, said = [], []
    tool(monkeypatch, {1: 61.5})
    fake = nextpnr._tool

    def run(folder, name, *others):
        given.append(json.loads((folder / "netlist.json").read_text())["modules"]["top"])
        fake(folder, name, *others)

    monkeypatch.setattr(nextpnr, "_tool", run)
    rows = (BlockRow("MULT18X18D", ("X4/Y10/MULT18_0",), ("a", "b")),)
    place(replace(some, rows=rows), (1,), tmp_path, say=said.append)
    assert given[0]["cells"]["a.x"]["attributes"] == {"BEL": "X4/Y10/MULT18_0"}
    assert any("place for b" in line for line in said)


def test_a_router_with_settings_runs_on_its_own(request_of_a_counter, tmp_path, monkeypatch):
    """By nextpnr itself: it takes the settings from the placed netlist, and the same bits come out twice."""
    tool, netlists = nextpnr._tool, []

    def run(folder, *others):
        tool(folder, *others)
        if (folder / nextpnr._PLACED).is_file():
            netlists.append(json.loads((folder / nextpnr._PLACED).read_text())["modules"]["top"]["settings"])

    monkeypatch.setattr(nextpnr, "_tool", run)
    crowded = replace(request_of_a_counter, router=CROWDED)
    first, second = (place(crowded, [3], tmp_path / name) for name in ("first", "second"))
    assert (first.folder / BITSTREAM).read_bytes() == (second.folder / BITSTREAM).read_bytes()
    placed, routed, *_ = netlists
    assert not CROWDED.items() & placed.items() and CROWDED.items() <= routed.items()
    assert first.sites["TRELLIS_FF"] == (16, 83_640)


def test_a_chip_of_another_family_is_refused(some, tmp_path):
    with pytest.raises(BuildError, match="nextpnr-ecp5 places no xck26"):
        place(replace(some, device=BOARDS["kv260"].device), (1,), tmp_path)


def test_a_tool_that_fails_is_one_line(tmp_path):
    with pytest.raises(BuildError, match="it failed: .*nothing") as error:
        nextpnr._tool(tmp_path, "nextpnr_ecp5", ["--85k", "--json", "nothing"], "it", lambda line: None)
    assert "\n" not in str(error.value)
