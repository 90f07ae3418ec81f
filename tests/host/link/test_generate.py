"""`host.generate --device serial` over a socket: the shipped model's ids are the emulator's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from host import generate
from host.link import transport
from hw.boards.registry import BUILDS
from models.command import run_command
from models.machine.link import Operation
from tests.host.link.board_model import BoardModel
from tests.host.link.opened import CLOCK_MHZ, WORD
from tests.host.link.served_board import ServedBoard

ROOT = Path(__file__).resolve().parents[3]
BUILD = BUILDS["sim-tiny"]
ASKED = ("--temperature", "0", "-n", "6", "--json")


@pytest.fixture
def served():
    found = ServedBoard(BoardModel(BUILD, word=WORD, clock_mhz=CLOCK_MHZ, run_s=1e-4))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working directory with accel.json alone, as beside a bitstream that is on the board."""
    content = {"hash": f"{WORD:08x}" + "0" * 56, "clock_mhz": CLOCK_MHZ, "parameters": BUILD.to_json()}
    (tmp_path / "accel.json").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def generated(*arguments, capsys):
    run_command(generate.main, [*ASKED, *arguments])
    return json.loads(capsys.readouterr().out)


def test_the_shipped_models_ids_are_the_emulators(served, capsys):
    expected = generated("--board", "sim-tiny", capsys=capsys)
    found = generated("--device", "serial", "--serial-port", served.url, capsys=capsys)
    assert found["ids"] == expected["ids"] and found["text"] == expected["text"]
    assert found["device"] == "serial" and found["cycles"] > 0


def test_a_process_that_is_killed_leaves_a_board_for_the_next_one(served, folder, capsys):
    """Amid its upload: the next one goes on there, and its ids are right."""
    command = [sys.executable, "-m", "host.generate", *ASKED, "--device", "serial", "--serial-port", served.url]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
    written = served.board.executed
    while written.count(Operation.WRITE_MEMORY) < 1000 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    written.clear()
    found = generated("--device", "serial", "--serial-port", served.url, capsys=capsys)
    assert written.count(Operation.WRITE_MEMORY) < 800
    assert found["ids"] == generated("--board", "sim-tiny", capsys=capsys)["ids"]


def refused(*arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(generate.main, list(arguments))
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_what_is_missing_or_wrong_is_one_line(folder, monkeypatch, capsys):
    serial = ("--device", "serial")
    monkeypatch.setattr(transport, "comports", list)
    assert refused(*serial, capsys=capsys).startswith("error: no board is connected: no serial port has the USB ids")
    assert refused("--serial-port", "/dev/ttyUSB0", capsys=capsys) == (
        "error: --serial-port belongs to device serial, not to emulator")
    assert "name is 'sim-tiny', but board kv260 has" in refused(*serial, "--board", "kv260", capsys=capsys)
    (folder / "accel.json").unlink()
    assert refused(*serial, capsys=capsys).startswith("error: no accel.json here: name with --build the one that")
    assert refused(*serial, "--board", "sim-tiny", capsys=capsys).startswith("error: no accel.json here")
    monkeypatch.setitem(sys.modules, "serial", None)
    for module in ("host.link.transport", "host.link.device", "host.link.client", "host.link.session"):
        monkeypatch.delitem(sys.modules, module)
    (folder / "accel.json").write_text(json.dumps({"parameters": BUILD.to_json()}))
    assert refused(*serial, capsys=capsys) == (
        "error: device serial needs the package 'serial': pip install 'tritloom[serial]'")
