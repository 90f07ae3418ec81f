"""Boards as data: found by their folders, true to their chips, readable without Amaranth, refused where unfinished."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hw.boards.board import Board
from hw.boards.registry import BOARDS, BUILDS, board_build, board_named, board_of
from models.errors import BuildError, OptionError


def test_every_folder_is_a_board():
    folders = {path.parent.name for path in Path(__file__).parents[3].glob("hw/boards/*/board.py")}
    assert {"kv260", "sim_tiny"} <= folders and {board.folder.name for board in BOARDS.values()} == folders


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_a_board_holds_together(board):
    assert board.build.name == board.name and board_of(board.build) is board
    assert board.build.ports <= board.ports.count
    assert board.technology.ultra_ram == (board.device.sites.uram > 0)
    assert board.device.sites.lutram < board.device.sites.lut and board.fits(board.device.sites)
    assert board.simulated or board.missing or board.files


def test_a_boards_build_bears_its_name():
    with pytest.raises(ValueError, match="the build of board kv260 is called sim-tiny"):
        replace(BOARDS["kv260"], build=BUILDS["sim-tiny"])


def test_a_build_of_its_own_name_is_simulated_as_the_small_one():
    assert board_of(replace(BUILDS["kv260"], name="mine")) is BOARDS["sim-tiny"]


def test_an_unfinished_board_is_refused(monkeypatch):
    board: Board = replace(BOARDS["sim-tiny"], missing="its pins are unknown")
    with pytest.raises(BuildError, match="^board sim-tiny cannot be built: its pins are unknown$"):
        board.check_emitted()
    monkeypatch.setitem(BOARDS, "sim-tiny", board)
    with pytest.raises(BuildError, match="^board sim-tiny cannot be built: "):
        board_build("sim-tiny")
    assert board_build("kv260") is BUILDS["kv260"]


def test_an_unknown_board_is_named():
    for find in (board_named, board_build):
        with pytest.raises(OptionError, match="unknown board 'nexys'; known: arty_z7, kv260"):
            find("nexys")


def test_boards_are_read_without_amaranth():
    code = "import sys, hw.boards.registry; assert not any(name.startswith('amaranth') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
