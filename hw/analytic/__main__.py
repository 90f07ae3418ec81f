"""The builds that would suit a model and a board: `python -m hw.analytic --board kv260 --model bitnet-0.73b`.

Prints the best of those whose engine fits its share of the device, the first being the choice, with predicted cycles
of the linear layers (a decoded token, a pass of a prompt), useful GB/s and GMAC/s, and sites.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from hw.analytic.explore import explore
from hw.analytic.prediction import predict
from hw.analytic.tables import choice_table
from hw.boards.registry import BOARDS, board_named
from models.checkpoint import load_config
from models.command import CommandParser, run_command
from models.errors import OptionError

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    described = [name for name, board in BOARDS.items() if not board.simulated]
    result = CommandParser("hw.analytic", description="Predicts builds and picks one.")
    result.add_argument("--board", default="kv260", help=f"one of {', '.join(described)} (default: kv260)")
    result.add_argument("--model", default="bitnet-0.73b", metavar="PRESET|DIR", help="default: bitnet-0.73b")
    result.add_argument("--lut", type=float, metavar="SHARE",
                        help="of the device's LUTs for the engine (default: the board's share, as of the next two)")
    result.add_argument("--uram", type=float, metavar="SHARE", help="of its UltraRAM")
    result.add_argument("--bram36", type=float, metavar="SHARE", help="of its block RAM")
    result.add_argument("-n", type=int, default=8, metavar="N", help="builds to show (default: 8)")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if options.n < 1:
        raise OptionError(f"-n must be at least 1, got {options.n}")
    shares = {name: value for name in ("lut", "uram", "bram36") if (value := getattr(options, name)) is not None}
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise OptionError(f"--{name} must be 0 to 1, got {value}")
    config, board = load_config(options.model), board_named(options.board)
    share = replace(board.share, **shares)
    found = explore(config, board, share)
    rows = [(f"{n}.", prediction) for n, prediction in enumerate(found[:options.n], start=1)]
    if not board.missing:
        rows.append(("build", predict(config, board.build, board.memory)))
    print(choice_table(rows, board, share))


if __name__ == "__main__":
    run_command(main)
