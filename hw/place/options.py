"""What commands that place and route ask for: tools, and how many seeds."""

from __future__ import annotations

import argparse

from hw.place.nextpnr import SEEDS, check_nextpnr
from hw.synthesis.yosys import check_yosys
from models.errors import OptionError

__all__ = ["add_seed_option", "check_tools", "chosen_seeds"]

_MOST_SEEDS = 64


def check_tools() -> None:
    """`ModuleNotFoundError` where Yosys or nextpnr is not installed."""
    check_yosys()
    check_nextpnr()


def add_seed_option(parser: argparse.ArgumentParser) -> None:
    """--seeds."""
    parser.add_argument("--seeds", type=int, default=len(SEEDS), metavar="N",
                        help="on boards with an open flow: placements to try, as many at a time as there are cores, of "
                             f"which the fastest is kept (default: {len(SEEDS)})")


def chosen_seeds(options: argparse.Namespace) -> tuple[int, ...]:
    """Of --seeds N: 1 to N. `OptionError` for a number that is none."""
    if not 1 <= options.seeds <= _MOST_SEEDS:
        raise OptionError(f"--seeds must be 1 to {_MOST_SEEDS}, got {options.seeds}")
    return tuple(range(1, options.seeds + 1))
