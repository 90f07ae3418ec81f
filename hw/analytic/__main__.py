"""The builds that would suit a model and a board: `python -m hw.analytic --board kv260 --model bitnet-0.73b`.

Prints the best of those whose engine fits its share of the device, the first being the choice, with predicted cycles
of the linear layers (a decoded token, a pass of a prompt), useful GB/s and GMAC/s, and sites.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hw.analytic.boards import DEVICES, Share, board_device
from hw.analytic.explore import explore
from hw.analytic.prediction import predict
from hw.analytic.tables import choice_table
from models.checkpoint import load_config
from models.errors import ModelError
from models.machine.build import BOARDS

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    share = Share()
    parser = argparse.ArgumentParser(prog="hw.analytic", description="Predicts builds and picks one.")
    parser.add_argument("--board", default="kv260", help=f"one of {', '.join(DEVICES)} (default: kv260)")
    parser.add_argument("--model", default="bitnet-0.73b", metavar="PRESET|DIR", help="default: bitnet-0.73b")
    parser.add_argument("--lut", type=float, default=share.lut, metavar="SHARE",
                        help=f"of the device's LUTs for the engine (default: {share.lut})")
    parser.add_argument("--uram", type=float, default=share.uram, metavar="SHARE", help=f"default: {share.uram}")
    parser.add_argument("--bram36", type=float, default=share.bram36, metavar="SHARE", help=f"default: {share.bram36}")
    parser.add_argument("-n", type=int, default=8, metavar="N", help="builds to show (default: 8)")
    options = parser.parse_args(arguments)
    try:
        config, board = load_config(options.model), board_device(options.board)
        share = Share(lut=options.lut, uram=options.uram, bram36=options.bram36)
        found = explore(config, board, share)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    rows = [(f"{n}.", prediction) for n, prediction in enumerate(found[:options.n], start=1)]
    if options.board in BOARDS:
        rows.append(("build", predict(config, BOARDS[options.board], board.memory)))
    print(choice_table(rows, board, share))


if __name__ == "__main__":
    main()
