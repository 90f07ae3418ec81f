"""Let things go wrong in a simulated core, thousands of times: `python -m scripts.verify.inject faults --cases 2000`.

`faults`: memory that answers wrong or not at all, resets, a doorbell rung twice, Ctrl-C, a process that is killed,
descriptors that are wrong. Each must be named, one call must recover, and the next tokens must be the emulator's.
`damaged`: programs of which one to four fields or bits are wrong, behind the host's check. None may write outside its
buffer, each must end, and the good one after it must be right. Each case is drawn from `--seed` and its number, so that
`--case N` runs it again. Exit status 1 where something is found.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

from hw.boards.registry import board_build
from models.command import CommandParser, run_command
from models.errors import OptionError
from scripts.verify.inject.bench import Bench
from scripts.verify.inject.campaign import run_cases
from scripts.verify.inject.damaged import run_damaged
from scripts.verify.inject.kinds import kinds_of
from scripts.verify.inject.report import damaged_json, damaged_table, faults_json, faults_table, record

__all__ = ["main"]

T = TypeVar("T")


def _told(cases: Iterable[T], total: int) -> Iterator[T]:
    """Findings as they come."""
    for case in tqdm(cases, total=total, unit="case", file=sys.stderr, disable=not sys.stderr.isatty()):
        if case.finding:
            tqdm.write(f"case {case.number}, {case.what}: {case.finding}", file=sys.stderr)
        yield case


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.verify.inject", description="Let things go wrong in a simulated core.")
    parser.add_argument("campaign", choices=["faults", "damaged"])
    parser.add_argument("--board", default="sim-tiny", help="whose build is simulated (default: sim-tiny)")
    parser.add_argument("--cases", type=int, metavar="N", help="how many (default: each kind once, or 100 programs)")
    parser.add_argument("--case", type=int, metavar="N", help="this one alone")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of all cases (default: 0)")
    parser.add_argument("--kind", metavar="TEXT", help="of faults, those with this in their name alone")
    parser.add_argument("--json", action="store_true", help="one JSON object, alone, on standard output")
    parser.add_argument("--record", action="store_true", help="write the table into docs/testing.md")
    options = parser.parse_args(arguments)
    if (options.cases is not None and options.cases < 1) or (options.case is not None and options.case < 0):
        raise OptionError("--cases must be at least 1, --case at least 0")
    bench = Bench(board_build(options.board), options.seed)
    settings = {"campaign": options.campaign, "board": options.board, "seed": options.seed}
    if options.campaign == "faults":
        kinds = kinds_of(bench)
        numbers = [number for number in _numbers(options.case, options.cases or len(kinds))
                   if (options.kind or "") in kinds[number % len(kinds)].name]
        if not numbers:
            raise OptionError(f"no case is of a kind with {options.kind!r} in its name")
        cases = list(_told(run_cases(bench, kinds, options.seed, numbers), len(numbers)))
        text, values = faults_table(cases), faults_json(cases, **settings)
    else:
        programs_of = _numbers(options.case, options.cases or 100)
        programs = list(_told(run_damaged(bench, options.seed, programs_of), len(programs_of)))
        text, values = damaged_table(programs), damaged_json(programs, **settings)
    print(json.dumps(values) if options.json else text)
    if options.record:
        record(options.campaign, options.board, text)
    raise SystemExit(1 if values["findings"] else 0)


def _numbers(case: int | None, count: int) -> range:
    return range(count) if case is None else range(case, case + 1)


if __name__ == "__main__":
    run_command(main)
