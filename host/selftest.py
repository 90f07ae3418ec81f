"""Known vectors through every unit of a device, then a model's tokens: `python -m host.selftest --device pynq`.

What is expected is exact: the trits that lie in memory, and the emulator's numbers. Exit status 1 where a line failed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from host.bringup.check import Check, State, guarded, report, skipped
from host.bringup.loaded import Opening, fabric_build
from host.bringup.tokens import check_tokens
from host.bringup.units import check_units
from host.command_line import add_model_options, open_model
from models.command import CommandParser, run_command
from models.errors import OptionError

__all__ = ["examine", "main", "parser"]

_TOKENS = 32


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("host.selftest", description="Known vectors through every unit of a device, and a model's "
                                                        "tokens, against the emulator.")
    add_model_options(parser)
    parser.add_argument("-n", type=int, default=_TOKENS, metavar="N", help=f"tokens (default: {_TOKENS})")
    return parser


def examine(options: argparse.Namespace) -> Iterator[Check]:
    """All lines, as they are found."""
    opening = Opening(options, fabric_build(options))
    yield from opening.checks()
    if not opening.sound:
        yield skipped("units", "no program is run in a device that fails the lines above")
        return
    device = opening.device
    sound = True
    for check in check_units(device):
        sound &= check.state != State.FAIL
        yield check
    if sound:
        yield guarded("tokens", "see the lines above", lambda: check_tokens(open_model(options), device, options.n))
    else:
        yield skipped("tokens", "a unit fails: see the lines above")
    device.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if options.n < 1:
        raise OptionError(f"-n must be at least 1, got {options.n}")
    report(examine(options), as_json=options.json)


if __name__ == "__main__":
    run_command(main)
