"""A trial under way: a copy of its folder, and commands run as a user runs them."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

__all__ = ["CHECKS", "ROOT", "Check", "Done", "Trial", "accepted", "check", "equal", "refused"]

ROOT = Path(__file__).resolve().parents[3]
"""The checkout, in which commands are run."""

_SECONDS = 120  # of one command
_POLL = 0.01


@dataclass(frozen=True)
class Done:
    """What a command came to. status: negative for a signal, None where it was stopped at its limit of time.

    memory: bytes of the largest process of it, resident, and never less than those of the process that started it
    (Linux counts from the fork on); seconds: processor time.
    """

    status: int | None
    out: str
    err: str
    memory: int = 0
    seconds: float = 0.0

    @property
    def answer(self) -> dict:
        """The JSON object on standard output; {} where there is none."""
        try:
            found = json.loads(self.out)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def __str__(self) -> str:
        """Status and the last thing said, for people."""
        said = (self.err.strip() or self.out.strip()).splitlines()[-1:]
        status = "stopped at its limit of time" if self.status is None else f"status {self.status}"
        return f"{status}: {said[0][:160]}" if said else status


class Trial:
    """folder: a copy of the trial's, to be changed at will; scratch: an empty folder beside it."""

    def __init__(self, source: Path, scratch: Path):
        self.name, self.folder, self.scratch = source.name, scratch / source.name, scratch / "scratch"
        shutil.copytree(source, self.folder, symlinks=True)
        for path in [self.folder, *self.folder.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)  # the source may be read-only
        self.scratch.mkdir()

    def files(self, pattern: str) -> list[Path]:
        """Files of the copy by name, sorted."""
        return sorted(path for path in self.folder.glob(pattern) if path.is_file())

    def run(self, *command: object, stdin: str | bytes = "", seconds: float = _SECONDS, cwd: Path = ROOT,
            environment: Mapping[str, str] | None = None) -> Done:
        """A command of the project: its module, then its options."""
        return self.shell([sys.executable, "-m", *map(str, command)], stdin=stdin, seconds=seconds, cwd=cwd,
                          environment=environment)

    def shell(self, command: Sequence[object], *, stdin: str | bytes = "", seconds: float = _SECONDS,
              cwd: Path = ROOT, environment: Mapping[str, str] | None = None) -> Done:
        """Any command, in a process group that ends with it."""
        given, out, err = (self.scratch.parent / name for name in ("stdin", "stdout", "stderr"))
        given.write_bytes(stdin if isinstance(stdin, bytes) else stdin.encode())
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # `python` is this one
        variables = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)} | dict(environment or {})
        with given.open("rb") as source, out.open("wb") as target, err.open("wb") as errors:
            process = subprocess.Popen(list(map(str, command)), cwd=cwd, env=variables, stdin=source, stdout=target,
                                       stderr=errors, start_new_session=True)
        status, usage = _ended(process, seconds)
        return Done(status, *(file.read_bytes().decode(errors="replace") for file in (out, err)),
                    usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime)

    def convert(self, source: Path, target: Path | None = None, **settings: object) -> Done:
        """models.convert into `target`, by default the scratch folder's `M`."""
        return self.run("models.convert", source, "-o", target or self.model, **settings)

    @property
    def model(self) -> Path:
        """Where conversions go."""
        return self.scratch / "M"


def _ended(process: subprocess.Popen, seconds: float) -> tuple[int | None, resource.struct_rusage]:
    """Exit status, None where `seconds` passed, and what the process took with its children."""
    deadline = time.monotonic() + seconds
    late = False
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return None if late else process.returncode, usage
        if not late and time.monotonic() > deadline:
            late = True
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(_POLL)


class Check(NamedTuple):
    """run: gives the faults it finds in a trial, none where all is right; slow: takes minutes."""

    run: Callable[[Trial], Iterator[str]]
    slow: bool


CHECKS: dict[str, Check] = {}
"""By the name of a trial's folder."""


def check(name: str, *, slow: bool = False) -> Callable:
    """Registers the check of the trial called `name`."""
    def register(run: Callable[[Trial], Iterator[str]]) -> Callable[[Trial], Iterator[str]]:
        CHECKS[name] = Check(run, slow)
        return run
    return register


def refused(done: Done, what: str, *named: object) -> Iterator[str]:
    """Faults unless a command ended in status 2 and one line, which begins `error:` and has all of `named` in it."""
    lines = done.err.splitlines()
    if done.status != 2 or len(lines) != 1 or not lines[0].startswith("error: "):
        yield f"{what}: expected status 2 and one line, found {done}" + f" ({len(lines)} lines)" * (len(lines) != 1)
        return
    if not lines[0].isprintable():
        yield f"{what}: characters that are not printable: {lines[0]!r}"
    for name in named:
        if str(name) not in lines[0]:
            yield f"{what}: expected {name} in the line, found {lines[0]}"


def accepted(done: Done, what: str) -> Iterator[str]:
    """A fault unless a command ended in status 0."""
    if done.status != 0:
        yield f"{what}: expected status 0, found {done}"


def equal(found: object, expected: object, what: str) -> Iterator[str]:
    """A fault unless the two are equal."""
    if found != expected:
        yield f"{what}: expected {expected!r}, found {found!r}"
