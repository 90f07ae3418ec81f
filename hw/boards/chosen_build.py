"""Which build of the accelerator a command works with: a board's, one that `hw.build` described, or a changed one."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path

from hw.boards.registry import BUILDS, board_named, board_of
from models.errors import BuildError, OptionError, TritloomError
from models.json_file import read_object
from models.machine.build import BuildParameters

__all__ = ["add_build_options", "add_clock_option", "asks_for_build", "chosen_build", "read_build", "with_settings"]

_DIGITS = 9  # of a parameter's number


def add_build_options(parser: argparse.ArgumentParser, *, default: str | None = "kv260",
                      boards: Iterable[str] = BUILDS, note: str = "") -> None:
    """--board, --build, --set. default: None where a command has no board of its own; note: what holds then."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--board", metavar="NAME",
                       help=f"build of the accelerator, by its board: {', '.join(boards)} (default: {note or default})")
    which.add_argument("--build", type=Path, metavar="FILE",
                       help="the build that an accel.json describes, as hw.build wrote it")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", dest="settings",
                        help="change a parameter of the build, such as rows=8; may be repeated")


def add_clock_option(parser: argparse.ArgumentParser) -> None:
    """--clock, beside `add_build_options`."""
    slower = "; ".join(f"{name}: {', '.join(map(str, board_named(name).clocks))}" for name in BUILDS
                       if board_named(name).slower_clocks)
    parser.add_argument("--clock", type=int, metavar="MHZ",
                        help=f"a slower clock that the board has, for where timing is not met ({slower})")


def asks_for_build(options: argparse.Namespace) -> bool:
    """Whether the options name a build."""
    return bool(options.board or options.build or options.settings)


def chosen_build(options: argparse.Namespace, default: str = "kv260", *, emitted: bool = True) -> BuildParameters:
    """The build that the options name; default: the board's where they name none. emitted: it must be one that can be.

    `OptionError` for an unknown board or parameter and a clock that the board has not, `BuildError` where none can be
    emitted for the board, and for a file that describes none.
    """
    if options.build is not None:
        build = read_build(options.build)
    else:
        board = board_named(options.board or default)
        if emitted:
            board.check_emitted()
        build = board.build
    clock = getattr(options, "clock", None)
    return with_settings(build if clock is None else _with_clock(build, clock), options.settings)


def _with_clock(build: BuildParameters, mhz: int) -> BuildParameters:
    clocks = board_of(build).clocks
    if mhz not in clocks:
        raise OptionError(f"board {board_of(build).name} has no clock of {mhz} MHz: "
                          f"--clock is one of {', '.join(map(str, clocks))}")
    return replace(build, clock_mhz=mhz)


def read_build(path: Path) -> BuildParameters:
    """The build that an accel.json describes; `BuildError` where the file is missing or describes none."""
    try:
        parameters = read_object(path).get("parameters")
        if not isinstance(parameters, dict):
            raise BuildError(f"{path}: it has no parameters of a build")
        return BuildParameters.from_json(parameters)
    except TritloomError as error:
        message = str(error)
        raise BuildError(message if message.startswith(str(path)) else f"{path}: {message}") from None


def with_settings(build: BuildParameters, settings: Sequence[str]) -> BuildParameters:
    """The build with some integer parameters changed, each `name=value`. `OptionError` for what is none."""
    known = [field.name for field in fields(build) if isinstance(getattr(build, field.name), int)]
    changes = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in known or not value.isdecimal() or len(value) > _DIGITS:
            raise OptionError(f"{setting!r} sets no parameter: NAME=NUMBER, names: {', '.join(known)}")
        changes[name] = int(value)
    try:
        return replace(build, **changes)
    except ValueError as error:
        raise OptionError(str(error)) from None
