"""The builds that would suit a model and a board: `python -m hw.analytic --board kv260 --model bitnet-0.73b`.

Prints the best of those whose engine fits its share of the device, the first being the choice, with predicted cycles
of the linear layers (a decoded token, a pass of a prompt), useful GB/s and GMAC/s, and sites.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hw.analytic.boards import DEVICES, Share, board_device
from hw.analytic.explore import explore
from hw.analytic.prediction import predict
from hw.analytic.tables import choice_table
from models.checkpoint import load_config
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.machine.build import BOARDS

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    share = Share()
    result = CommandParser("hw.analytic", description="Predicts builds and picks one.")
    result.add_argument("--board", default="kv260", help=f"one of {', '.join(DEVICES)} (default: kv260)")
    result.add_argument("--model", default="bitnet-0.73b", metavar="PRESET|DIR", help="default: bitnet-0.73b")
    result.add_argument("--lut", type=float, default=share.lut, metavar="SHARE",
                        help=f"of the device's LUTs for the engine (default: {share.lut})")
    result.add_argument("--uram", type=float, default=share.uram, metavar="SHARE", help=f"default: {share.uram}")
    result.add_argument("--bram36", type=float, default=share.bram36, metavar="SHARE", help=f"default: {share.bram36}")
    result.add_argument("-n", type=int, default=8, metavar="N", help="builds to show (default: 8)")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if options.n < 1:
        raise OptionError(f"-n must be at least 1, got {options.n}")
    for name in ("lut", "uram", "bram36"):
        if not 0 <= getattr(options, name) <= 1:
            raise OptionError(f"--{name} must be 0 to 1, got {getattr(options, name)}")
    config, board = load_config(options.model), board_device(options.board)
    share = Share(lut=options.lut, uram=options.uram, bram36=options.bram36)
    found = explore(config, board, share)
    rows = [(f"{n}.", prediction) for n, prediction in enumerate(found[:options.n], start=1)]
    if options.board in BOARDS:
        rows.append(("build", predict(config, BOARDS[options.board], board.memory)))
    print(choice_table(rows, board, share))


if __name__ == "__main__":
    run_command(main)
