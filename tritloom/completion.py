"""Completion of the `tritloom` command: `source <(tritloom completion bash)`, likewise for the other shells."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import shtab

from models.command import CommandParser, run_command

__all__ = ["main", "parser", "script"]

_SHELLS = ("bash", "zsh")  # what completes options of sub-commands too


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    result = CommandParser("tritloom.completion", description="Print a shell's completion of the tritloom command.",
                           epilog="Use it so: source <(tritloom completion bash)")
    result.add_argument("shell", choices=_SHELLS)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    from tritloom.__main__ import COMMANDS  # late: it lists this module

    print(script(parser().parse_args(arguments).shell, COMMANDS))


def script(shell: str, commands: Mapping[str, tuple[str, str]]) -> str:
    """The shell's script for commands by name: the module that has `parser`, and what the command does."""
    whole = argparse.ArgumentParser(prog="tritloom")
    whole.add_argument("-V", "--version", action="store_true", help="print the version")
    below = whole.add_subparsers(dest="command")
    for name, (module, what) in commands.items():
        options = importlib.import_module(module).parser()
        below.add_parser(name, help=what, description=what, add_help=False, parents=[options])
    for action in _actions(whole):
        if action.type is Path or "DIR" in str(action.metavar) or action.metavar == "MODEL":
            action.complete = shtab.DIRECTORY if "DIR" in str(action.metavar) else shtab.FILE
    return shtab.complete(whole, shell)


def _actions(of: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in of._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _actions(child)


if __name__ == "__main__":
    run_command(main)
