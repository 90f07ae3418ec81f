"""Fit, look at, place and audit stages: `python -m host.pipeline list | fit | show | report | audit | export`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from host.pipeline.commands import audit, export, fit, list_methods, report, show
from host.pipeline.methods import find_methods
from host.stage_options import add_methods_option
from models.command import CommandParser, run_command

__all__ = ["main", "parser"]


def parser(folder: str | None = None) -> CommandParser:
    """Its options; those of `fit` are its methods', of which there may be more in a folder of the user's."""
    result = CommandParser("host.pipeline", description="Stages: norms, activation, sparsity, steering, resilience.")
    commands = result.add_subparsers(dest="command", required=True)
    methods = find_methods(folder)
    for command in (list_methods, fit, show, report, audit, export):
        command.add_to(commands, methods)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    arguments = sys.argv[1:] if arguments is None else arguments
    first = ArgumentParser(add_help=False, allow_abbrev=False)
    add_methods_option(first)
    options = parser(first.parse_known_args(arguments)[0].methods).parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    run_command(main)
