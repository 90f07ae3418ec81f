"""A process that runs one case after the other, told by its parent which: `python -m scripts.verify.fuzz.worker`.

Arguments: kind, seed, `damaged` or `whole`, folder. Standard input has the numbers of cases, a line each. Standard
output says `ready`, then for each case `step` before every command and a line of JSON at the end. The case's files stay
in `folder`/case until the next one.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from random import Random

from scripts.verify.fuzz.outcome import LIMIT_BYTES

__all__ = ["main", "rng_of"]


def rng_of(kind: str, seed: int, case: int) -> Random:
    """The random numbers of one case."""
    return Random(f"{kind} {seed} {case}")


def _take_streams(folder: Path) -> tuple[int, int]:
    """Requests and answers, moved away from the standard streams, which become files in `folder`."""
    pipes = os.dup(0), os.dup(1)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        file = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    return pipes


def _limit_memory() -> None:
    """No more address space than now and LIMIT_BYTES: what asks for more gets an error at once."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + LIMIT_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main(arguments: Sequence[str]) -> None:
    """Run cases until the requests end."""
    name, seed, mode, place = arguments
    folder, scratch = Path(place), Path(place) / "tmp"
    requests, answers = _take_streams(folder)
    faulthandler.enable(all_threads=True)  # a crash shows where, on standard error, which is a file
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # and so does a hang
    warnings.simplefilter("always")
    scratch.mkdir()
    tempfile.tempdir = os.environ["TMPDIR"] = str(scratch)
    sys.path[0] = str(Path(__file__).resolve().parents[3])
    from scripts.verify.fuzz.kinds import KINDS  # late: the streams and the folder of temporary files are set
    from scripts.verify.fuzz.run_case import run_steps

    seeds, case = folder / "seeds", folder / "case"
    seeds.mkdir()
    kind = KINDS[name](seeds)
    _limit_memory()
    with os.fdopen(requests) as lines, os.fdopen(answers, "w") as out:
        def say(text: str) -> None:
            out.write(text + "\n")
            out.flush()

        say("ready")
        for line in lines:
            os.chdir(folder)
            shutil.rmtree(case, ignore_errors=True)
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            case.mkdir()
            steps = kind.write(rng_of(name, int(seed), int(line)), case, damaged=mode == "damaged")
            outcome = run_steps(steps, case, scratch, lambda: say("step"))
            say(json.dumps(outcome.to_json()))


if __name__ == "__main__":
    main(sys.argv[1:])
