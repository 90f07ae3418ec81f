"""The build command: two builds alike, lint clean, its description true, bad input in one line."""

import filecmp
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import hw.build
import hw.emit
from hw.boards.registry import BOARDS, BUILDS
from hw.boards.technology import SERIES_7, ULTRASCALE_PLUS, Technology
from hw.build import main, write_build
from hw.bundle import wheel
from hw.emit import TOP, Emitted, kept_sourced_verilog, kept_verilog, source_hash, with_top
from hw.place.bitstream import Bitstream
from hw.place.nextpnr import Placed
from hw.synthesis.yosys import Run
from models.command import run_command
from models.errors import BuildError
from models.machine.registers import REGISTERS
from scripts.verify.check_hdl import lint
from sim.verilate import complaints
from sim.verilated_core import build_core
from tests.sim.cores import FOUR_SLOTS
from tests.test_imports import ROOT


def test_the_core_of_the_tests_lints_clean(tmp_path):
    """By what Verilator said when it made the simulation of it, which the other tests run."""
    write_build(FOUR_SLOTS, tmp_path, kept_verilog)
    verilog = (tmp_path / f"{TOP}.v").read_text(encoding="utf-8")
    assert complaints(build_core(with_top(verilog, "top"), FOUR_SLOTS.ports)) == []


@pytest.mark.slow
def test_another_process_writes_the_same_files(tmp_path):
    """Neither the order of sets nor what a process did before shows in them."""
    main(["--board", "sim-tiny", "-o", str(tmp_path / "first")])
    done = subprocess.run([sys.executable, "-m", "hw.build", "--board", "sim-tiny", "-o", str(tmp_path / "second")],
                          env=os.environ | {"TRITLOOM_CACHE": str(tmp_path / "cache"), "PYTHONHASHSEED": "7"})
    assert done.returncode == 0
    names, others = (sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
                     for folder in (tmp_path / "first", tmp_path / "second"))
    assert names == others and {f"{TOP}.v", "report/index.html", "report/units/linear.v"} <= set(names)
    assert filecmp.cmpfiles(tmp_path / "first", tmp_path / "second", names, shallow=False)[1:] == ([], [])


def foreign_blocks(technology: Technology) -> list[str]:
    """What names blocks that a family does not have, in lower case."""
    others = {other.dsp.primitive for other in (SERIES_7, ULTRASCALE_PLUS)} - {technology.dsp.primitive}
    return [*map(str.lower, others), *(() if technology.ultra_ram else ("ultra", "uram"))]


@pytest.mark.slow  # writing one takes minutes
@pytest.mark.parametrize("board", [name for name in BUILDS if not BOARDS[name].simulated])
def test_a_board_holds_the_shipped_model_and_lints_clean(board, tmp_path, capsys):
    main(["--board", board, "--model", "demo", "--verilog-only", "-o", str(tmp_path)])
    description = json.loads((tmp_path / "accel.json").read_text())
    assert capsys.readouterr().out.strip().endswith(description["hash"][:8])
    assert description["parameters"] == BUILDS[board].to_json()
    assert description["clock_mhz"] == BUILDS[board].clock_mhz
    assert description["registers"] == {r.name: r.offset for r in REGISTERS}
    verilog = (tmp_path / f"{TOP}.v").read_text()
    assert f"32'd{int(description['hash'][:8], 16)}" in verilog  # what the BUILD register reads
    assert BOARDS[board].technology.dsp.primitive in verilog
    assert not [name for name in foreign_blocks(BOARDS[board].technology) if name in verilog.lower()]
    assert lint(tmp_path / f"{TOP}.v") == []


def test_lint_sees_a_fault(tmp_path):
    broken = tmp_path / "broken.v"
    broken.write_text(f"module {TOP}(input [3:0] a, output [3:0] b); assign b = a[4:1]; endmodule")
    assert lint(broken)


@pytest.mark.parametrize("arguments,message", [
    (["--board", "nexys"], "unknown board 'nexys'"), (["--model", "no/model"], "no model folder at no/model"),
    (["--board", "sim-tiny", "--model", "bitnet-2b4t"], "hidden size of 2560 exceeds the 512 of build sim-tiny"),
    (["--board", "sim-tiny", "--choose"], "no build can be chosen for board sim-tiny"),
    (["--clock", "200"], "board kv260 has no clock of 200 MHz: --clock is one of 250, 214, 187"),
    (["--board", "sim-tiny", "--bundle"], "--bundle is for a board that there is: sim-tiny is only simulated"),
    (["--board", "ulx3s", "--bundle"], "--bundle is for a board with a processor, which ulx3s has not"),
    (["--board", "ulx3s", "--seeds", "65"], "--seeds must be 1 to 64, got 65"),
    (["--bundle", "--model", "bitnet-0.73b"], "bitnet-0.73b is a shape without weights")])
def test_bad_input_is_one_line_and_status_2(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_command(main, [*arguments, "-o", str(tmp_path)])
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ") and message in err and len(err.splitlines()) == 1 and not out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("extra", [(), ("--choose",)])
def test_an_unfinished_board_is_refused(extra, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(BOARDS, "kv260", replace(BOARDS["kv260"], missing="its pins are unknown"))
    test_bad_input_is_one_line_and_status_2(["--board", "kv260", *extra], "board kv260 cannot be built: its pins",
                                            tmp_path, capsys)


@pytest.mark.parametrize("name", ["file", "file/below", "a" * 300, "/proc/none/x"])
def test_a_place_for_no_folder_is_told_before_the_work(name, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("kept")
    monkeypatch.setattr(hw.build, "write_build", None)
    with pytest.raises(SystemExit) as exit_:
        run_command(main, ["--board", "sim-tiny", "-o", str(tmp_path / name)])
    assert exit_.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {tmp_path / name} cannot be written: ") and len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_verilog_is_kept_and_work_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path / "cache"))
    made = []
    emitted = Emitted("module é();", "0" * 64, "sourced")
    monkeypatch.setattr(hw.emit, "emit_verilog", lambda build: made.append(build) or emitted)
    tiny = BUILDS["sim-tiny"]
    assert kept_verilog(tiny) == kept_verilog(tiny) == ("module é();", "0" * 64)
    assert made == [tiny] and capsys.readouterr().err == "writing the Verilog of build sim-tiny\n"
    kept_verilog(replace(tiny, clock_mhz=100))  # another clock is no other Verilog
    assert len(made) == 1 and kept_sourced_verilog(tiny) == "sourced"
    kept_verilog(replace(tiny, top_k=8))
    assert len(made) == 2


def test_a_build_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(build):
        raise BuildError("out of luck")

    with pytest.raises(BuildError):
        write_build(BUILDS["sim-tiny"], tmp_path / "new", fail)
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr(hw.build, "register_table", lambda: fail(None))
    (tmp_path / "accel.json").write_text("old")
    with pytest.raises(BuildError):
        write_build(BUILDS["sim-tiny"], tmp_path, lambda build: ("", ""))
    assert [path.name for path in tmp_path.iterdir()] == ["accel.json"]
    assert (tmp_path / "accel.json").read_text() == "old"


def test_a_boards_files_have_the_packaged_ip(tmp_path):
    for text in ("module tritloom();", "module tritloom(); wire x;"):
        write_build(BUILDS["kv260"], tmp_path, lambda build, text=text: (text, "0" * 64))
        assert {path.name for path in (tmp_path / "ip").iterdir()} == {
            "component.xml", "tritloom.v", "tritloom_axi.v", "xgui.tcl"}
        for name in ("tritloom.v", "tritloom_axi.v"):
            assert (tmp_path / "ip" / name).read_text() == (tmp_path / name).read_text()
        assert (tmp_path / "ip" / "tritloom.v").read_text() == text
    assert not list(tmp_path.glob("old.*")) and (tmp_path / "build_kv260.tcl").exists()


def test_a_bundle_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hw.emit, "emit_verilog", lambda build: Emitted("module tritloom();", "0" * 64, "sourced"))
    monkeypatch.setattr(hw.build, "_describe", lambda *_: None)

    def packed(command: list[str], **_: object) -> SimpleNamespace:
        Path(command[-1], "tritloom-0-py3-none-any.whl").touch()
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(wheel, "run_child", packed)
    arguments = ["--clock", "214", "--bundle", "-o", str(tmp_path / "kv260")]
    main(arguments)
    captured, archive = capsys.readouterr(), tmp_path / "kv260" / "tritloom-kv260.tar.gz"
    assert f"note: no tritloom.bit and no tritloom.hwh of this build in {tmp_path}/kv260" in captured.err
    assert captured.out.splitlines()[-1].startswith(f"bundle: {archive}, 2.")
    first = archive.read_bytes()
    main(arguments)
    assert archive.read_bytes() == first


def test_a_board_with_an_open_flow_gets_its_bitstream(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hw.emit, "emit_verilog", lambda build: Emitted("module tritloom();", "0" * 64, "sourced"))
    monkeypatch.setattr(hw.build, "_describe", lambda *_: None)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tritloom.bit").write_text("bits")
    achieved = 61.0

    def make(build, board, verilog, seeds, *, say):
        assert (verilog, seeds) == ("module tritloom();", (1, 2, 3))
        placed = Placed(tmp_path / "run", 2, "0.11", achieved, 1.0, {}, (), {})
        return Bitstream(Run(Path("netlist"), "abc9", "0.70", 1.0, False), placed)

    monkeypatch.setattr(hw.build, "make_bitstream", make)
    folder = tmp_path / "ulx3s"
    arguments = ["--board", "ulx3s", "--seeds", "3", "-o", str(folder)]
    main(arguments)
    assert capsys.readouterr().out.splitlines()[-1] == f"bitstream: {folder / 'tritloom.bit'}, 0.0 MB"
    assert {path.name for path in folder.iterdir()} == {
        "tritloom.v", "tritloom_top.v", "tritloom_pll.v", "ulx3s.lpf", "tritloom.bit", "place.json", "accel.json",
        "registers.md", "report"}
    description = json.loads((folder / "accel.json").read_text())
    assert description["placed"] == {"clock_mhz_achieved": 61.0, "seed": 2, "yosys": "0.70", "nextpnr": "0.11"}
    main([*arguments, "--verilog-only"])
    assert json.loads((folder / "accel.json").read_text()) == description
    achieved = 59.9
    with pytest.raises(BuildError, match="the best placement of build ulx3s reaches 59.9 MHz, not 60"):
        main(arguments)


def test_what_vivado_wrote_stays_with_its_build_alone(tmp_path):
    def written(identity: str, **changes: int) -> dict[str, object]:
        write_build(replace(BUILDS["kv260"], **changes), tmp_path, lambda build: ("module tritloom();", identity))
        return json.loads((tmp_path / "accel.json").read_text())

    first = written("0" * 64)
    (tmp_path / "accel.json").write_text(json.dumps(first | {"vivado": {"version": "2024.1"}}))
    assert written("0" * 64) == first | {"vivado": {"version": "2024.1"}}
    slower = written("0" * 64, clock_mhz=214)  # the Verilog is the same, the bitstream is not
    assert slower["clock_mhz"] == slower["parameters"]["clock_mhz"] == 214 and "vivado" not in slower
    (tmp_path / "accel.json").write_text(json.dumps(slower | {"vivado": {"version": "2024.1"}}))
    assert "vivado" not in written("1" * 64, clock_mhz=214)


def test_another_top_is_a_name_alone():
    text = "module tritloom(clk);\ntritloom__linear a();\nmodule \\tritloom__linear (); // tritloom_x\n"
    assert with_top(text, "top") == text.replace("module tritloom(", "module top(").replace("tritloom__", "top__")


def test_nothing_that_makes_the_core_knows_the_clock():
    """What lies around it on a board without a processor does: a line's bits and an SDRAM's rows last a time."""
    readers = {path.relative_to(ROOT).parts[:2] for path in (ROOT / "hw").rglob("*.py")
               if "clock_mhz" in path.read_text("utf-8")}
    around = {("hw", "soc"), ("hw", "link"), ("hw", "sdram")}
    assert readers - set(hw.emit._BYSTANDERS) == {("hw", "emit.py")} | around


def test_the_source_hash_follows_parameters_and_tools(monkeypatch):
    tiny = source_hash(BUILDS["sim-tiny"])
    assert tiny != source_hash(BUILDS["kv260"]) and tiny == source_hash(BUILDS["sim-tiny"])
    monkeypatch.setattr(hw.emit, "_version", lambda distribution: "9.9")
    assert tiny != source_hash(BUILDS["sim-tiny"])
