"""What keeps a board from working well, line by line: `python -m host.doctor --device pynq`.

The clock comes first. Each line passes, fails with its fix, or is skipped; exit status 1 where one failed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from host.bringup.check import Check, failed, guarded, passed, report, skipped
from host.bringup.loaded import Opening, fabric_build
from host.bringup.running import check_addresses, check_rates, check_weights
from host.bringup.system import check_memory, check_system
from host.command_line import add_model_options, open_model
from host.compiler.program import Program
from host.runtime import Session
from models.command import CommandParser, run_command
from models.errors import TritloomError
from models.machine.build import BuildParameters
from models.model import Model

__all__ = ["examine", "main", "parser"]

_LINES = ("addresses", "weights", "bandwidth")


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("host.doctor", description="What keeps a board from working well: clock, versions, memory, "
                                                      "addresses, hashes, processors, temperature, bandwidth.")
    add_model_options(parser)
    return parser


def examine(options: argparse.Namespace, root: Path = Path("/")) -> Iterator[Check]:
    """All lines, as they are found. root: of the file system with /proc and /sys."""
    build = fabric_build(options)
    opening = Opening(options, build)
    yield from opening.checks()
    yield from check_system(root)
    try:
        model = open_model(options)
    except TritloomError as error:
        yield failed("model", str(error), "name one that fits the build: tritloom models lists those that are there")
        yield from _unseen("there is no model")
        return
    yield from _with_model(opening, model, build, root)


def _with_model(opening: Opening, model: Model, build: BuildParameters, root: Path) -> Iterator[Check]:
    size = Program(model, build, rows=build.slots).size
    yield passed("model", f"{model.config.name} takes {size / 2**20:.1f} MiB with a context of {model.config.context}")
    memory = check_memory(root, size)
    yield memory
    if not opening.sound:
        yield from _unseen("no program is run in a device that fails the lines above")
        return
    device = opening.device
    try:
        session = Session(model, device)
    except TritloomError as error:
        yield failed("addresses", str(error), memory.fix or "see the line of contiguous memory")
        yield from (skipped(name, "the model is not in memory") for name in _LINES[1:])
        return
    yield guarded("addresses", "load the bitstream anew", lambda: check_addresses(device))
    yield guarded("weights", "see the lines of the ports", partial(check_weights, session))
    del session  # its memory is given back before the next program asks for some
    yield from check_rates(device, getattr(device, "clock_mhz", build.clock_mhz))
    device.close()


def _unseen(why: str) -> Iterator[Check]:
    return (skipped(name, why) for name in _LINES)


def main(arguments: Sequence[str] | None = None, root: Path = Path("/")) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    report(examine(options, root), as_json=options.json)


if __name__ == "__main__":
    run_command(main)
