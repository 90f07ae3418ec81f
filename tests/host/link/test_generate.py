"""`host.generate --device serial` over a socket: the shipped model's ids are the emulator's."""

from __future__ import annotations

import json

import pytest

from host import generate
from hw.boards.registry import BUILDS
from models.command import run_command
from tests.host.link.board_model import BoardModel
from tests.host.link.opened import CLOCK_MHZ, WORD
from tests.host.link.served_board import ServedBoard

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
