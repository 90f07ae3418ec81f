"""Damage inputs of each kind and run the commands on them: `python -m scripts.verify.fuzz --kind all --count 2000`.

What may come of a case is that all is well, or one line that says why not. Everything else is a finding: a traceback,
a crash, a hang, too much memory, something left behind, a message of several lines. Findings are kept in a folder
with what it takes to see them again. Exit status 1 where there are some.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tqdm import tqdm

from models.command import CommandParser, run_command
from models.errors import OptionError
from scripts.verify.fuzz.kinds import KINDS
from scripts.verify.fuzz.outcome import Outcome
from scripts.verify.fuzz.pool import Worker, run_cases
from scripts.verify.fuzz.report import Tally, keep_finding, record, table

__all__ = ["fuzz", "main"]

_DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "measurements.md"


def fuzz(kind: str, seed: int, cases: Iterable[int], findings: Path, *, jobs: int = 1, seconds: float | None = None,
         total: int | None = None, show: bool = False, whole: bool = False) -> Tally:
    """Run cases of a kind; what they found goes below `findings` and, as it comes, to standard output.

    show: say what came of every case; whole: damage nothing, so that all cases are fine.
    """
    tally = Tally(seed)
    command = [sys.executable, "-m", "scripts.verify.fuzz.worker", kind, str(seed),
               "whole" if whole else "damaged"]
    with tempfile.TemporaryDirectory(prefix="fuzz.") as scratch, \
            tqdm(total=total, desc=kind, unit="case", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        def make_worker(index: int) -> Worker:
            return Worker(command, Path(scratch) / str(index))

        for case, outcome, files in run_cases(make_worker, cases, jobs, seconds):
            tally.add(case, outcome)
            bar.update(1)
            if outcome.is_finding:
                folder = keep_finding(findings, kind, seed, case, outcome, files)
                tqdm.write(f"{kind} {case}: {outcome.verdict}: {_last_line(outcome)} ({folder})", file=sys.stdout)
            elif show:
                tqdm.write(f"{kind} {case}: {outcome.verdict} in {outcome.seconds:.2f} s: {_last_line(outcome)}",
                           file=sys.stdout)
    return tally


def _last_line(outcome: Outcome) -> str:
    lines = [line for line in outcome.detail.splitlines() if line.strip()]
    last = lines[0 if outcome.verdict in ("crash", "hang") else -1] if lines else ""
    return ascii(last)[1:-1][:160]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.verify.fuzz",
                           description="Damage inputs of each kind and run the commands on them.")
    parser.add_argument("--kind", default="all", choices=["all", *KINDS], help="of input (default: all)")
    parser.add_argument("--count", type=int, default=200, metavar="N", help="cases of each kind (default: 200)")
    parser.add_argument("--seconds", type=float, metavar="S", help="begin no more cases of a kind after so long")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of all cases (default: 0)")
    parser.add_argument("--case", type=int, action="append", metavar="N", help="this case alone; may be given again")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="cases side by side (default: one for each processor)")
    parser.add_argument("--findings", type=Path, metavar="DIR", default=Path(tempfile.gettempdir()) / "fuzz-findings",
                        help="where to keep them (default: %(default)s)")
    parser.add_argument("--show", action="store_true", help="say what came of every case")
    parser.add_argument("--whole", action="store_true", help="damage nothing: shows that the inputs are right")
    parser.add_argument("--record", action="store_true", help="write the table into docs/measurements.md")
    options = parser.parse_args(arguments)
    if options.case and options.kind == "all":
        raise OptionError("--case needs a --kind")
    if options.count < 1 or options.jobs < 1:
        raise OptionError("--count and --jobs must be at least 1")
    cases = options.case or range(options.count)
    kinds = list(KINDS) if options.kind == "all" else [options.kind]
    settings = dict(jobs=min(options.jobs, len(cases)), seconds=options.seconds, total=len(cases), show=options.show,
                    whole=options.whole)
    tallies = {kind: fuzz(kind, options.seed, cases, options.findings, **settings) for kind in kinds}
    print(table(tallies))
    if options.record:
        record(_DOCUMENT, tallies)
    raise SystemExit(1 if any(tally.findings for tally in tallies.values()) else 0)


if __name__ == "__main__":
    run_command(main)
