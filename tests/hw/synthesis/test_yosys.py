"""Real runs of Yosys on a few lines of Verilog: kept, counted, and what happens when they fail."""

from collections import Counter

import pytest

from hw.boards.device import Resources
from hw.boards.technology import ECP5, PLAIN, SERIES_7, ULTRASCALE_PLUS
from hw.synthesis import yosys
from hw.synthesis.levels import LogicLevels
from hw.synthesis.netlist import read_netlist
from hw.synthesis.resources import count_resources, late_products
from models.errors import BuildError

# A sum of 16 bits, 32 words of 14 bits in distributed RAM.
VERILOG = """
module small(input clk, input [15:0] a, input [15:0] b, output reg [15:0] sum,
             input write, input [4:0] to, input [13:0] data, input [4:0] from, output reg [13:0] out);
  reg [15:0] x, y;
  (* ram_style = "distributed" *) reg [13:0] memory [0:31];
  always @(posedge clk) begin
    x <= a; y <= b; sum <= x + y; out <= memory[from];
    if (write) memory[to] <= data;
  end
endmodule
"""


def runs(folder):
    return [path for path in (folder / "yosys").iterdir() if path.suffix != ".lock"]


def check(run):
    netlist = read_netlist(run.netlist, "small", prefix="unit.")
    assert count_resources(netlist) == Resources(lut=16 + 8, lutram=8, ff=62, dsp=0, bram36=0, uram=0)
    levels = LogicLevels(netlist)
    assert (levels.worst, levels.loop) == (2, ())
    sum_, read, *_ = levels.paths(3)
    assert str(sum_).startswith(("unit.x[", "unit.y[")) and "-> LUT2" in str(sum_)
    assert "CARRY4" in sum_.steps[1].cells and sum_.end.startswith("unit.sum[")
    assert (read.start[:10], [step.cells for step in read.steps]) == ("unit.from[", ["RAM32M16"])
    assert read.end.startswith("unit.out[")


def test_a_run_is_counted_and_kept(tmp_path):
    first = yosys.synthesise(VERILOG, "small", ULTRASCALE_PLUS, tmp_path)
    assert (first.mapper, first.reused) == ("abc9", False)
    check(first)
    said = []
    again = yosys.synthesise(VERILOG, "small", ULTRASCALE_PLUS, tmp_path, say=said.append)
    assert again.reused and again.netlist == first.netlist and str(first.netlist.parent) in said[0]
    assert runs(tmp_path) == [first.netlist.parent]


def test_equal_registers_are_one_unless_they_are_to_be_kept(tmp_path):
    def registers(attribute):
        verilog = f"""
module small(input clk, input [3:0] a, output [3:0] x, output [3:0] y);
  {attribute} reg [3:0] one, two;
  reg [3:0] b;
  assign x = one, y = two ^ b;
  always @(posedge clk) begin b <= ~y; one <= a; two <= a; end
endmodule
"""
        run = yosys.synthesise(verilog, "small", ULTRASCALE_PLUS, tmp_path)
        return count_resources(read_netlist(run.netlist, "small")).ff

    assert (registers(""), registers("(* keep *)")) == (8, 12)


def test_where_one_mapper_fails_the_next_one_is_taken_and_named(tmp_path, monkeypatch):
    variants = yosys.scripts("small", ULTRASCALE_PLUS)
    monkeypatch.setattr(yosys, "scripts", lambda top, technology: variants | {"abc9": "no_such_pass"})
    said = []
    run = yosys.synthesise(VERILOG, "small", ULTRASCALE_PLUS, tmp_path, say=said.append)
    assert run.mapper == "abc"
    assert any("abc9 failed" in line and "no_such_pass" in line for line in said)
    check(run)


def test_a_design_that_no_mapper_takes_is_one_line_and_leaves_nothing(tmp_path):
    with pytest.raises(BuildError, match=r"could not synthesise other: .*Module `other' not found") as error:
        yosys.synthesise(VERILOG, "other", ULTRASCALE_PLUS, tmp_path)
    assert "\n" not in str(error.value)
    assert runs(tmp_path) == []


def test_the_older_family_is_mapped_to_its_own_cells(tmp_path):
    run = yosys.synthesise(VERILOG, "small", SERIES_7, tmp_path)
    types = {cell.type for cell in read_netlist(run.netlist, "small").cells}
    assert "RAM32M" in types and "RAM32M16" not in types


def test_a_family_without_a_flow_is_refused(tmp_path):
    with pytest.raises(BuildError, match="there is no synthesis for technology plain"):
        yosys.synthesise(VERILOG, "small", PLAIN, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_kept_run_is_found_without_running(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path))
    monkeypatch.setattr(yosys, "_first_success", lambda *_: {"mapper": "abc9", "yosys": "0.0", "seconds": 1.0})
    assert yosys.kept_run(VERILOG, "small", ULTRASCALE_PLUS) is None
    made = yosys.synthesise(VERILOG, "small", ULTRASCALE_PLUS)
    found = yosys.kept_run(VERILOG, "small", ULTRASCALE_PLUS)
    assert (found.netlist, found.mapper, found.reused) == (made.netlist, "abc9", True)
    assert yosys.kept_run(VERILOG + " ", "small", ULTRASCALE_PLUS) is None
    assert yosys.kept_run(VERILOG, "small", PLAIN) is None


def test_an_ecp5_has_cells_of_its_own(tmp_path):
    verilog = """
module small(input clk, input [17:0] a, input [17:0] b, output reg [35:0] product, output reg [15:0] sum,
             input write, input [4:0] to, input [3:0] data, input [4:0] from, output reg [3:0] out,
             input [8:0] at, input [35:0] word, output reg [35:0] read);
  reg [17:0] x, y;
  (* ram_style = "distributed" *) reg [3:0] few [0:15];
  (* ram_style = "block" *) reg [35:0] many [0:511];
  always @(posedge clk) begin
    x <= a; y <= b; product <= x * y; sum <= x + y; out <= few[from];
    if (write) begin few[to] <= data; many[at] <= word; end
    read <= many[from];
  end
endmodule
"""
    run = yosys.synthesise(verilog, "small", ECP5, tmp_path)
    netlist = read_netlist(run.netlist, "small")
    types = Counter(cell.type for cell in netlist.cells)
    assert (types["MULT18X18D"], types["DP16KD"], types["TRELLIS_DPR16X4"], types["CCU2C"]) == (1, 1, 1, 8)
    found = count_resources(netlist)
    assert (found.lutram, found.dsp, found.bram36) == (6, 1, 0.5)
    assert found.lut == types["LUT4"] + 2 * 8 + 6 and found.ff == types["TRELLIS_FF"]
    assert late_products(netlist) == []
    levels = LogicLevels(netlist)
    (path,) = [path for path in levels.paths(20) if path.end.startswith("sum[")]
    assert (path.levels, path.start[0], [step.cells.split()[0] for step in path.steps]) in (
        (1, "x", ["CCU2C"]), (1, "y", ["CCU2C"]))
    registers = [cell.name for cell in netlist.cells if cell.type == "TRELLIS_FF" and cell.name.startswith("sum")]
    assert len(registers) == 16


def test_the_edge_of_an_ecp5_is_no_path(tmp_path):
    """Pads of both directions, and registers in pads, as a board's top module has them."""
    verilog = """
module small(input clk, input drive, output out, inout pad);
  wire seen; reg held, driven;
  always @(posedge clk) begin held <= seen; driven <= drive; end
  BB dq(.I(held), .T(~driven), .O(seen), .B(pad));
  ODDRX1F clock(.SCLK(clk), .RST(1'b0), .D0(1'b1), .D1(1'b0), .Q(out));
endmodule
"""
    netlist = read_netlist(yosys.synthesise(verilog, "small", ECP5, tmp_path).netlist, "small")
    levels = LogicLevels(netlist)
    assert (levels.worst, levels.loop) == (1, ())  # the inverter
    assert {path.end for path in levels.paths(9)} >= {"dq/T (TRELLIS_IO)", "dq/I (TRELLIS_IO)"}
    assert count_resources(netlist).ff == 2 and "pad" not in netlist.inputs
