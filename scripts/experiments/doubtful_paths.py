"""A board's paths by what routing taught: `python -m scripts.experiments.doubtful_paths [--count 24] [--record]`.

The KV260's whole core as `hw.report` synthesises it (a quarter of an hour, unless it is kept), its paths by levels with
what nets of many loads and memories weigh beside them (`hw.synthesis.weights`). The weights are those of the engines
that `scripts.experiments.route_units` routes, in levels, on another chip: an order to look at paths in, no delay.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from hw.boards.kv260.board import BOARD as KV260
from hw.emit import TOP, kept_verilog
from hw.place.options import add_seed_option, chosen_seeds
from hw.synthesis.levels import LogicLevels
from hw.synthesis.levels import Path as CountedPath
from hw.synthesis.netlist import read_netlist
from hw.synthesis.weights import Weights
from hw.synthesis.yosys import synthesise
from models.command import CommandParser, run_command
from models.errors import OptionError
from scripts.experiments.route_units import CHANGES, route
from scripts.experiments.routed_paths import costs
from scripts.marked_text import rewrite_marked

__all__ = ["main", "table"]

_DOCUMENT = Path("docs/board.md")
_MARKS = ("<!-- doubtful paths: written by scripts.experiments.doubtful_paths --record -->",
          "<!-- doubtful paths: end -->")


def table(weights: Weights, paths: Iterable[CountedPath]) -> str:
    """In Markdown: the weights, and a line a path with its loads where they weigh."""
    lines = [f"Weights in levels: a net of many loads {weights.some:.1f} and {weights.many:.1f}, distributed RAM read "
             f"{weights.read:.1f}, written {weights.written:.1f}, block RAM {weights.block:.1f}.", "",
             "| weighed | levels | from | through | to |", "| --- | --- | --- | --- | --- |"]
    for path in paths:
        start, *steps = str(path).removesuffix(f" -> {path.end}").split(" -> ")
        lines.append(f"| {path.weighed:.1f} | {path.levels} | `{_plain(start)}` | {', '.join(steps)} | "
                     f"`{_plain(path.end)}` |")
    return "\n".join(lines)


def _plain(name: str) -> str:
    """Without the kind of a register, which its name or that of its net may end with."""
    return re.sub(r"(\\| \()FD[RS]E\)?", "", name)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.doubtful_paths", description="The KV260's paths by routing's weights.")
    parser.add_argument("--unit", choices=CHANGES, action="append", help="an engine to take the weights from, in place "
                                                                         "of all; may be repeated")
    parser.add_argument("--count", type=int, default=24, help="paths (default: 24)")
    add_seed_option(parser)
    parser.add_argument("--record", action="store_true", help=f"write the table into {_DOCUMENT}")
    options = parser.parse_args(arguments)
    if options.count < 1:
        raise OptionError(f"--count must be at least 1, got {options.count}")

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    engines = [route(name, chosen_seeds(options), say) for name in options.unit or CHANGES]
    weights = costs([path for engine in engines for path in engine.paths]).weights
    run = synthesise(kept_verilog(KV260.build)[0], TOP, KV260.device.technology, say=say)
    found = table(weights, LogicLevels(read_netlist(run.netlist, TOP), weights).paths(options.count))
    print(found)
    if options.record:
        rewrite_marked(_DOCUMENT, *_MARKS, lambda old: found)


if __name__ == "__main__":
    run_command(main)
