"""All boards, found by their folders, and the builds emitted for them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from hw.boards.board import Board
from models.config import ModelConfig
from models.errors import BuildError, OptionError
from models.machine.build import BuildParameters

__all__ = ["BOARDS", "BUILDS", "board_build", "board_named", "board_of", "why_no_board"]


def _boards() -> dict[str, Board]:
    folders = sorted(path.parent.name for path in Path(__file__).parent.glob("*/board.py"))
    boards = [import_module(f"{__package__}.{folder}.board").BOARD for folder in folders]
    return {board.name: board for board in sorted(boards, key=lambda board: (not board.simulated, board.name))}


BOARDS: dict[str, Board] = _boards()
"""By name: `BOARD` of every `hw/boards/*/board.py`, the simulated one first."""

BUILDS: dict[str, BuildParameters] = {name: board.build for name, board in BOARDS.items() if not board.missing}
"""Builds of the fabric by board, where one can be emitted."""


def board_named(name: str) -> Board:
    """The board of that name; `OptionError` for an unknown one."""
    if name not in BOARDS:
        raise OptionError(f"unknown board {name!r}; known: {', '.join(sorted(BOARDS))}")
    return BOARDS[name]


def board_build(name: str) -> BuildParameters:
    """The build of a board by name; `OptionError` for an unknown one, `BuildError` where none can be emitted."""
    board = board_named(name)
    board.check_emitted()
    return board.build


def board_of(build: BuildParameters) -> Board:
    """The board that a build is for, which has its name; for a build with a name of its own, the simulated one."""
    return BOARDS.get(build.name, BOARDS["sim-tiny"])


def why_no_board(config: ModelConfig) -> list[str]:
    """Why no board runs a model, with a context cut to the board's; empty where one does."""
    reasons: dict[str, None] = {}
    for build in BUILDS.values():
        try:
            build.check(build.fitted(config))
        except BuildError as error:
            reasons[str(error)] = None
        else:
            return []
    return list(reasons)
