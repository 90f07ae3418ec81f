"""Run the trials of a folder: `python -m scripts.verify.trials FOLDER`.

Each folder of it is one trial, with a README that says what is right; the checks here are known by the folders'
names. Exit status 1 where one fails.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from models.command import CommandParser, run_command
from models.errors import OptionError
from scripts.verify.trials import damaged, edges, foreign, texts  # noqa: F401  their import registers the checks
from scripts.verify.trials.trial import CHECKS, Trial

__all__ = ["faults_of", "main"]


def faults_of(folder: Path) -> list[str] | None:
    """What is wrong in the trial of a folder; None where no check is known for it."""
    if folder.name not in CHECKS:
        return None
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="trial.") as scratch:
        try:
            faults.extend(CHECKS[folder.name].run(Trial(folder, Path(scratch))))
        except Exception as error:  # an output that is not what a check reads is a fault as well
            faults.append(f"the check ended in {error!r}")
    return faults


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.verify.trials", description="Run the trials of a folder and print a table.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="holds a folder a trial; nothing is written there")
    parser.add_argument("--only", action="append", metavar="NAME", help="this trial; may be given several times")
    parser.add_argument("--quick", action="store_true", help="leave out those that take minutes")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        raise OptionError(f"{options.folder}: no such folder")
    found = {path.name: path for path in sorted(options.folder.iterdir()) if path.is_dir()}
    for name in options.only or ():
        if name not in found:
            raise OptionError(f"{options.folder}: no trial {name!r}; there are: {', '.join(found)}")
    names = sorted(set(options.only or found), key=lambda name: (name in CHECKS and CHECKS[name].slow, name))
    if options.quick:
        names = [name for name in names if name not in CHECKS or not CHECKS[name].slow]
    width, failed, unknown = max(map(len, names), default=0), 0, 0
    for name in tqdm(names, unit="trial", file=sys.stderr, disable=not sys.stderr.isatty()):
        faults = faults_of(found[name])
        failed, unknown = failed + bool(faults), unknown + (faults is None)
        verdict = "no check" if faults is None else "FAIL" if faults else "pass"
        first, *others = faults or [""]
        rows = [f"{name:{width}}  {verdict:8}  {first}", *(f"{'':{width}}  {'':8}  {fault}" for fault in others)]
        tqdm.write("\n".join(rows).rstrip(), file=sys.stdout)
    print(f"{len(names) - failed - unknown} of {len(names)} pass"
          + f", {unknown} without a check" * bool(unknown))
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    run_command(main)
