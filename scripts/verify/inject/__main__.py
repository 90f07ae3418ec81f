"""Let things go wrong in a simulated core, thousands of times: `python -m scripts.verify.inject faults --cases 2000`.

`faults`: memory that answers wrong or not at all, resets, a doorbell rung twice, Ctrl-C, a process that is killed,
descriptors that are wrong. Each must be named, one call must recover, and the next tokens must be the emulator's.
`damaged`: programs of which one to four fields or bits are wrong, behind the host's check. None may write outside its
buffer, each must end, and the good one after it must be right. `link`: bytes lost, doubled, changed or late on the
serial line to a modelled board, resets, a process that is killed. Each must be healed or named, and no token be wrong.
`soc`: likewise on the Verilog of a whole board without a processor, `--board ulx3s` where none is named, with its SDRAM
and its line bit by bit, and resets, aborts and other programs at cycles of a run.
Each case is drawn from `--seed` and its number, so that `--case N` runs it again. Exit status 1 where something is
found.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

from models.command import CommandParser, run_command
from models.errors import OptionError
from scripts.verify.inject.report import damaged_json, damaged_table, faults_json, faults_table, link_table, record
from scripts.verify.inject.workers import FAULTS, LINK, SOC, kind_names, side_by_side

__all__ = ["main"]

T = TypeVar("T")


def _told(cases: Iterable[T], total: int, seconds: float | None) -> Iterator[T]:
    """Findings as they come; no more cases after so many seconds."""
    end = None if seconds is None else time.monotonic() + seconds
    for case in tqdm(cases, total=total, unit="case", file=sys.stderr, disable=not sys.stderr.isatty()):
        if case.finding:
            tqdm.write(f"case {case.number}, {case.what}: {case.finding}", file=sys.stderr)
        yield case
        if end is not None and time.monotonic() > end:
            return


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.verify.inject", description="Let things go wrong in a simulated core.")
    parser.add_argument("campaign", choices=["faults", "damaged", "link", "soc"])
    parser.add_argument("--board", help="whose build is simulated (default: sim-tiny; of soc, ulx3s)")
    parser.add_argument("--cases", type=int, metavar="N", help="how many (default: each kind once, or 100 programs)")
    parser.add_argument("--case", type=int, metavar="N", help="this one alone")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of all cases (default: 0)")
    parser.add_argument("--seconds", type=float, metavar="S", help="take no more cases after so long")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="cases side by side (default: 1)")
    parser.add_argument("--kind", metavar="TEXT", help="of faults, those with this in their name alone")
    parser.add_argument("--json", action="store_true", help="one JSON object, alone, on standard output")
    parser.add_argument("--record", action="store_true", help="write the table into docs/testing.md")
    options = parser.parse_args(arguments)
    if (options.cases is not None and options.cases < 1) or (options.case is not None and options.case < 0):
        raise OptionError("--cases must be at least 1, --case at least 0")
    if options.jobs < 1:
        raise OptionError("--jobs must be at least 1")
    options.board = options.board or ("ulx3s" if options.campaign == SOC else "sim-tiny")
    settings = {"campaign": options.campaign, "board": options.board, "seed": options.seed}
    numbers = _chosen(options)
    running = side_by_side(options.campaign, options.board, options.seed, numbers, options.jobs)
    cases = list(_told(running, len(numbers), options.seconds))
    of_faults = options.campaign in (FAULTS, LINK, SOC)
    text = {FAULTS: faults_table, LINK: link_table, SOC: link_table}.get(options.campaign, damaged_table)(cases)
    values = faults_json(cases, **settings) if of_faults else damaged_json(cases, **settings)
    print(json.dumps(values) if options.json else text)
    if options.record:
        record(options.campaign, options.board, text)
    raise SystemExit(1 if values["findings"] else 0)


def _chosen(options: argparse.Namespace) -> list[int]:
    """Numbers of the cases that are asked for."""
    count, kinds = options.cases or 100, []
    if options.campaign in (FAULTS, LINK, SOC):
        kinds = kind_names(options.campaign, options.board, options.seed)
        count = options.cases or len(kinds)
    numbers = range(count) if options.case is None else range(options.case, options.case + 1)
    if options.kind is None:
        return list(numbers)
    chosen = [number for number in numbers if kinds and options.kind in kinds[number % len(kinds)]]
    if not chosen:
        raise OptionError(f"no case is of a kind with {options.kind!r} in its name")
    return chosen


if __name__ == "__main__":
    run_command(main)
