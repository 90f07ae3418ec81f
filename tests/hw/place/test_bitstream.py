"""A board's bitstream: what is synthesised and placed, its report, a clock not reached; tools in their place."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hw.boards.registry import BOARDS
from hw.place import bitstream
from hw.place.bitstream import TOP_MODULE, Bitstream, check_timing, make_bitstream
from hw.place.build_folder import PLACE, keep_bitstream
from hw.place.nextpnr import BITSTREAM, Placed
from hw.place.timing import TimedPath
from hw.synthesis.yosys import Run
from models.errors import BuildError

ULX3S = BOARDS["ulx3s"]
PATHS = tuple(TimedPath(10.0 - n, 4.0, 2, f"a.r{n}", f"b{n % 2}.s{n}", ("b.l",)) for n in range(7))
PADS = {"sdram_a[0]": 2.5, "sdram_pads[3].dq": 7.75, "led[1]": 9.5}


@pytest.fixture
def made(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / BITSTREAM).write_text("bits")
    placed = Placed(tmp_path / "run", 2, "0.11", 61.25, 9.0, {"TRELLIS_FF": (30, 60)}, PATHS, PADS)
    return Bitstream(Run(Path("netlist"), "abc9", "0.70", 5.0, False), placed)


def test_the_system_is_synthesised_with_top_and_pll_and_placed_on_the_boards_pins(made, monkeypatch):
    asked = {}

    def synthesise(verilog, top, technology, folder, *, say):
        asked.update(verilog=verilog, top=top, technology=technology)
        return made.run

    def place(request, seeds, folder, *, say):
        asked.update(request=request, seeds=seeds)
        return made.placed

    monkeypatch.setattr(bitstream, "synthesise", synthesise)
    monkeypatch.setattr(bitstream, "place", place)
    assert make_bitstream(ULX3S.build, ULX3S, "module tritloom(); endmodule", (1, 2, 3)) == made
    assert asked["top"] == TOP_MODULE and asked["technology"] is ULX3S.technology and asked["seeds"] == (1, 2, 3)
    for part in (f"module {TOP_MODULE}(", "module tritloom_pll", "module tritloom();"):
        assert part in asked["verilog"]
    request = asked["request"]
    assert (request.netlist, request.device, request.clock_mhz) == (Path("netlist"), ULX3S.device, 60)
    assert 'LOCATE COMP "clk25" SITE "G2";' in request.constraints


def test_the_report_has_clock_sites_and_five_paths(made):
    lines = made.report().splitlines()
    assert lines[0] == "nextpnr 0.11, seed 2: 61.25 MHz" and lines[1].split() == ["TRELLIS_FF", "30", "60", "50.0", "%"]
    assert lines[2] == "7.75 ns at most between a register and a pad of the memory"
    assert lines[3:] == [str(path) for path in PATHS[:5]]


def test_timing_that_is_not_met_is_an_error(made):
    check_timing(made, ULX3S.build, ULX3S)
    with pytest.raises(BuildError, match="the best placement of build ulx3s reaches 61.25 MHz, not 75: --seeds tries"):
        check_timing(made, replace(ULX3S.build, clock_mhz=75), ULX3S)
    late = replace(made, placed=replace(made.placed, pads=PADS | {"sdram_ba[1]": 8.25}))
    with pytest.raises(BuildError, match=r"pad sdram_ba\[1\] is 8.25 ns from its register, more than 8: --seeds"):
        check_timing(late, ULX3S.build, ULX3S)


def test_a_builds_folder_gets_the_bitstream_and_what_is_known_of_it(made, tmp_path):
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "accel.json").write_text('{"hash": "0"}')
    keep_bitstream(folder, made)
    told = {"clock_mhz_achieved": 61.25, "seed": 2, "yosys": "0.70", "nextpnr": "0.11"}
    assert json.loads((folder / "accel.json").read_text()) == {"hash": "0", "placed": told}
    assert (folder / BITSTREAM).read_text() == "bits"
    about = json.loads((folder / PLACE).read_text())
    assert about["sites"] == {"TRELLIS_FF": {"used": 30, "available": 60}} and len(about["paths"]) == 5
    assert about["units"] == {"b0": 10.0, "b1": 9.0} and about["paths"][1]["unit"] == "b1"
    assert {path.name for path in folder.iterdir()} == {"accel.json", BITSTREAM, PLACE}
