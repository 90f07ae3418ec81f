"""The report command: its JSON, its text, and bad input; Yosys' part is played by netlists made by hand."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import hw.report
from hw.analytic.sites import unit_sites
from hw.boards.registry import BOARDS, BUILDS
from hw.place.bitstream import Bitstream
from hw.place.nextpnr import Placed
from hw.place.timing import TimedPath
from hw.report import main
from hw.synthesis.units import UNITS
from hw.synthesis.yosys import Run
from models.command import run_command
from models.errors import OptionError
from tests.hw.synthesis.netlists import lut, register, write_netlist

KEYS = ["lut", "lutram", "ff", "dsp", "bram36", "uram", "logic_levels", "fan_out_lut", "fan_out_register",
        "fan_out_other", "fits", "roomy"]
PLAIN = [register("in", "a"), lut("a b", "_1"), lut("_1 b", "_2"), register("_2", "q"), ("RAMB18E2", {})]
LOOP = [lut("a y", "x"), lut("x b", "y"), register("x", "q")]


@pytest.fixture
def yosys(tmp_path, monkeypatch):
    """Make every run deliver these cells; the list it returns fills with (top, folder)."""

    def deliver(cells):
        asked = []

        def synthesise(verilog, top, technology, folder, *, say):
            say("working")
            asked.append((top, folder))
            return Run(write_netlist(tmp_path / "netlist.json", cells, "in a b clk"), "abc9", "0.0", 1.0, False)

        monkeypatch.setattr(hw.report, "synthesise", synthesise)
        monkeypatch.setattr(hw.report, "kept_verilog", lambda build: ("", ""))
        monkeypatch.setattr(hw.report, "unit_verilog", lambda build, unit: "")
        monkeypatch.setattr(hw.report, "read_netlist",
                            lambda path, top, prefix="", read=hw.report.read_netlist: read(path, "top", prefix=prefix))
        return asked

    return deliver


def run(*arguments):
    with pytest.raises(SystemExit) as exit_:
        run_command(main, arguments)
    return exit_.value.code


def test_json_stands_alone(yosys, capsys):
    asked = yosys(PLAIN)
    assert run("--board", "kv260", "--model", "demo", "--json") == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert list(found) == [*KEYS, "nets"]
    nets = found.pop("nets")
    assert found == dict(lut=2, lutram=0, ff=2, dsp=0, bram36=0.5, uram=0, logic_levels=2, fan_out_lut=1,
                         fan_out_register=1, fan_out_other=2, fits=True, roomy=True)
    assert {"name": "b", "driver": "other", "loads": 2, "pins": {"logic": 2}} in nets
    assert "2 levels: a -> LUT2 -> LUT2 -> q/D (FDRE)" in err and "working" in err
    assert asked[0][0] == "tritloom"


def test_a_board_with_an_open_flow_is_placed(yosys, tmp_path, monkeypatch, capsys):
    asked = yosys(PLAIN)
    paths = (TimedPath(16.0, 4.0, 2, "a.x", "b.y", ()),)
    placed = Placed(tmp_path, 2, "0.11", 62.5, 1.0, {"TRELLIS_FF": (2, 83_640)}, paths, {})

    def make(build, board, verilog, seeds, *, folder, say):
        return Bitstream(hw.report.synthesise(verilog, "tritloom_top", None, folder, say=say), placed)

    monkeypatch.setattr(hw.report, "make_bitstream", make)
    assert run("--board", "ulx3s", "--json", "--seeds", "3") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["clock_mhz_achieved"] == 62.5 and asked == [("tritloom_top", None)]
    assert run("--board", "ulx3s") == 0
    out = capsys.readouterr().out
    assert "clock_mhz_achieved 62.5" in out and str(paths[0]) in out
    assert run("--board", "ulx3s", "--unit", "linear", "--json") == 0  # alone, it has no pins
    assert "clock_mhz_achieved" not in json.loads(capsys.readouterr().out)
    assert run("--board", "ulx3s", "--seeds", "0") == 2
    assert capsys.readouterr().err == "error: --seeds must be 1 to 64, got 0\n"


def test_text_has_the_same_figures_and_the_path(yosys, capsys):
    asked = yosys(PLAIN)
    assert run("--unit", "linear", "--set", "rows=8") == 0
    out = capsys.readouterr().out
    assert out.startswith("kv260, linear, rows=8:")
    rows = {line.split()[0]: line.split()[1] for line in out.splitlines() if line.split()[0] in KEYS}
    assert rows == dict(lut="2", lutram="0", ff="2", dsp="0", bram36="0.5", uram="0", logic_levels="2", fan_out_lut="1",
                        fan_out_register="1", fan_out_other="2", fits="yes", roomy="yes")
    assert "behind a register: 1 loads: linear.a (FDRE), 1 logic, such as " in out
    assert "2 levels: linear.a -> LUT2 -> LUT2 -> linear.q/D (FDRE)" in out  # named as in the whole
    assert asked[0][0] == "linear"


def test_a_prediction_stands_beside_the_count(yosys, capsys):
    yosys([lut("a b", "_1"), register("_1", "q"), *[("URAM288", {})] * 10])
    assert run("--unit", "linear") == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    predicted = unit_sites(BUILDS["kv260"], "linear")
    assert lines["uram"][4:] == [f"{predicted.uram}", f"{10 * (predicted.uram - 10):+.1f}"]
    assert lines["lut"][4] == f"{predicted.lut}" and len(lines["ff"]) == 4 and len(lines["dsp"]) == 5
    run("--unit", "control")
    assert "predicted" not in capsys.readouterr().out


def test_a_combinational_loop_fails(yosys, capsys):
    yosys(LOOP)
    assert run("--json") == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["logic_levels"] is None and found["fits"] is False and found["lut"] == 2
    assert "combinational loop: " in err


@pytest.mark.parametrize("cells,said", [
    ([lut("a b", "x"), *(register("x", f"q{n}") for n in range(256))], None),
    ([lut("a b", "x"), *(register("x", f"q{n}") for n in range(257))], "257 loads behind a LUT, more than 256"),
    ([register("in", "a"), *(register("a", f"q{n}") for n in range(1001))],
     "1001 loads behind a register, more than 1000"),
    ([register("b", f"q{n}") for n in range(1001)], "1001 loads behind a port, memory or DSP, more than 1000"),
    ([lut("a b", "_0"), *(lut(f"_{n} b", f"_{n + 1}") for n in range(5)), register("_5", "q")], None),
    ([lut("a b", "_0"), *(lut(f"_{n} b", f"_{n + 1}") for n in range(6)), register("_6", "q")],
     "more than 6 levels of logic"),
    ([("URAM288", {})] * 54, None), ([("URAM288", {})] * 55, "more than 85% of uram"),
])
def test_what_is_over_a_limit_is_named(cells, said, yosys, capsys):
    yosys(cells)
    assert run("--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["roomy"] is (said is None)
    assert [line for line in err.splitlines() if "roomy" in line] == ([f"not roomy: {said}"] if said else [])


@pytest.mark.slow  # a quarter of an hour of Yosys, unless its run is kept
def test_the_kv260_is_roomy():
    build = BUILDS["kv260"]
    report = hw.report.make_report(hw.report.kept_verilog(build)[0], hw.report.TOP, hw.report.board_of(build).device)
    assert report.beyond == []


def test_a_build_too_large_does_not_fit(yosys, capsys):
    yosys([("URAM288", {})] * 65)
    assert run("--json") == 0
    assert json.loads(capsys.readouterr().out)["fits"] is False


def test_what_a_chip_has_none_of_has_no_share(yosys, capsys):
    yosys(PLAIN)
    assert run("--board", "arty_z7") == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert lines["uram"] == ["uram", "0", "0", "-"] and lines["dsp"] == ["dsp", "0", "220", "0.0"]
    yosys([("URAM288", {})])
    assert run("--board", "arty_z7", "--json") == 0
    assert json.loads(capsys.readouterr().out)["fits"] is False


@pytest.mark.parametrize("extra", [(), ("--json",), ("--unit", "linear")])
def test_a_board_that_cannot_be_built_yet_says_so(extra, yosys, monkeypatch, capsys):
    yosys(PLAIN)
    assert run("--board", "rfsoc4x2", *extra) == 0
    assert "cannot be built" not in "".join(capsys.readouterr())
    monkeypatch.setitem(BOARDS, "rfsoc4x2", replace(BOARDS["rfsoc4x2"], missing="its pins are unknown"))
    assert run("--board", "rfsoc4x2", *extra) == 0
    out, err = capsys.readouterr()
    said = [line for line in (out + err).splitlines() if line.startswith("board rfsoc4x2 cannot be built: ")]
    assert len(said) == 1 and ("--json" not in extra or list(json.loads(out)) == [*KEYS, "nets"])


@pytest.mark.parametrize("arguments,message", [
    (["--board", "nexys"], "unknown board 'nexys'"), (["--model", "no/model"], "no model folder at no/model"),
    (["--board", "sim-tiny", "--model", "bitnet-2b4t"], "hidden size of 2560 exceeds the 512 of build sim-tiny"),
    (["--set", "rows=many"], "'rows=many' sets no parameter"), (["--set", "colour=3"], "'colour=3' sets no parameter"),
    (["--set", "ports=5"], "ports must be 1 to 4, got 5"), (["--set", f"rows={'9' * 50}"], "sets no parameter"),
    (["-o", "/proc/none"], "/proc/none cannot be written")])
def test_bad_input_is_one_line_and_status_2(arguments, message, yosys, capsys):
    asked = yosys(PLAIN)
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ") and message in err and len(err.splitlines()) == 1 and not out and not asked


def test_units_are_those_of_the_core():
    core = (Path(hw.report.__file__).parent / "core.py").read_text()
    units = {unit: place for unit, place in UNITS.items() if unit != "engine"}  # three of them together
    assert all(f"from {module} import {name}\n" in core for module, name in units.values())
    named = set(re.findall(r'"(\w+)": \w+Engine\(build\)', core)) | set(re.findall(r"m\.submodules\.(\w+)", core))
    assert set(units) == named  # so that a path has the same name in both reports


@pytest.mark.parametrize("unit", ["control", "memory"])
def test_a_unit_alone_is_verilog(unit):
    from hw.synthesis.units import unit_verilog

    assert f"module {unit}(" in unit_verilog(BUILDS["sim-tiny"], unit)


def test_the_engine_is_the_core_without_the_others():
    from hw.synthesis.units import unit_verilog

    text = unit_verilog(BUILDS["sim-tiny"], "engine")
    assert all(f"module engine__{part}(" in text for part in ("linear", "memory", "control"))
    assert not any(f"module engine__{part}" in text for part in ("head", "vector", "attention"))
    assert "vector__sums_a__valid" in text and "m1_axi_arvalid" in text


def test_an_unknown_unit_is_named():
    from hw.synthesis.units import unit_verilog

    with pytest.raises(OptionError, match="unknown unit 'decoder'; known: linear"):
        unit_verilog(BUILDS["sim-tiny"], "decoder")
