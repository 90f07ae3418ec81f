"""Which build of the accelerator a command works with: a board's, one that `hw.build` described, or a changed one."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path

from hw.boards.registry import BUILDS, board_named
from models.errors import BuildError, OptionError, TritloomError
from models.json_file import read_object
from models.machine.build import BuildParameters

__all__ = ["add_build_options", "asks_for_build", "chosen_build", "read_build", "with_settings"]

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


def asks_for_build(options: argparse.Namespace) -> bool:
    """Whether the options name a build."""
    return bool(options.board or options.build or options.settings)


def chosen_build(options: argparse.Namespace, default: str = "kv260", *, emitted: bool = True) -> BuildParameters:
    """The build that the options name; default: the board's where they name none. emitted: it must be one that can be.

    `OptionError` for an unknown board or parameter, `BuildError` where none can be emitted for the board, and for a
    file that describes none.
    """
    if options.build is not None:
        build = read_build(options.build)
    else:
        board = board_named(options.board or default)
        if emitted:
            board.check_emitted()
        build = board.build
    return with_settings(build, options.settings)


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
