"""One case in this process: the commands of its steps, and what is wrong with how they ended."""

from __future__ import annotations

import gc
import importlib
import json
import os
import re
import resource
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from models.command import run_command
from scripts.verify.fuzz.kinds.kind import Step
from scripts.verify.fuzz.outcome import FINE, LIMIT_BYTES, REFUSED, Outcome

__all__ = ["run_steps"]

_FAILED = 2
_NOISE = re.compile(r"Traceback|Warning:|panicked at|^Exception ignored", re.MULTILINE)
_NO_MEMORY = re.compile(r"not enough memory|MemoryError|cannot allocate memory", re.IGNORECASE)
_MOST_LINES = 12  # of notes before the line that refuses
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def run_steps(steps: Sequence[Step], folder: Path, scratch: Path, on_step: Callable[[], None]) -> Outcome:
    """Run the steps in turn in `folder` until one is refused. scratch: the folder of temporary files, empty.

    Standard streams are those of the process: files, which are emptied here. on_step: called before each step.
    """
    os.chdir(folder)
    _forget_peak()
    started, outcome, command = _processor_seconds(), Outcome(FINE), ""
    for step in steps:
        on_step()
        command = f"python -m {step.module} {shlex.join(step.options)}"
        before = _contents(folder)
        outcome = _run(step)
        if not outcome.is_finding and (left := _left_behind(before, folder, scratch, outcome)):
            outcome = Outcome("left behind", left)
        if outcome.verdict != FINE:
            break
    memory = _peak()
    if not outcome.is_finding and memory > LIMIT_BYTES:
        outcome = Outcome("memory", f"{memory >> 20} MB")
    return Outcome(outcome.verdict, outcome.detail, command, memory, _processor_seconds() - started)


def _run(step: Step) -> Outcome:
    status = 0
    with _streams(step.stdin) as streams:
        try:
            run_command(importlib.import_module(step.module).main, list(step.options))
        except SystemExit as end:
            status = end.code
        except BaseException:  # a panic of a Rust library is no Exception
            return Outcome("traceback", traceback.format_exc(limit=-12)[-6000:] + streams.said())
    out, err = streams.out, streams.err
    lines = err.splitlines()
    if noise := _NOISE.search(err):
        return Outcome("message", f"{noise.group()} on standard error: {err[-2000:]}")
    if unprintable := sorted({c for c in err if not c.isprintable() and c != "\n"}):
        return Outcome("message", f"{unprintable!r} on standard error: {err[-2000:]!r}")
    if status == 0:
        return _checked_answer(out, step)
    if status != _FAILED:
        return Outcome("traceback", f"exit status {status}: {err[-2000:]}")
    refusals = [line for line in lines if line.startswith("error: ")]
    if len(refusals) != 1 or lines[-1] != refusals[0] or len(refusals[0]) < 15 or len(lines) > _MOST_LINES:
        return Outcome("message", f"expected one line beginning error:, found {err[-2000:]!r}")
    return Outcome("memory" if _NO_MEMORY.search(refusals[0]) else REFUSED, refusals[0])


def _checked_answer(out: str, step: Step) -> Outcome:
    """Commands with --json print one object a line."""
    if "--json" in step.options:
        for line in out.splitlines():
            try:
                json.loads(line)
            except ValueError:
                return Outcome("message", f"expected a JSON object, found {line[:500]!r}")
    return Outcome(FINE)


class _Said:
    """What was written to the two standard streams, once they are put back."""

    out = err = ""

    def said(self) -> str:
        """For a finding that ended before the streams were read."""
        sys.stderr.flush()
        return os.pread(2, 2000, 0).decode(errors="replace")


@contextmanager
def _streams(stdin: str) -> Iterator[_Said]:
    """Standard input holds `stdin`; both outputs begin empty and are read at the end."""
    said = _Said()
    _refill(0, stdin.encode())
    for number in (1, 2):
        _refill(number, b"")
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)
    try:
        yield said
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        said.out, said.err = (os.pread(number, 1 << 24, 0).decode(errors="replace") for number in (1, 2))
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair


_KEPT: dict[int, int] = {}


def _refill(number: int, data: bytes) -> None:
    """The file of a standard stream, with `data` in it; a command may have put another in its place."""
    if number not in _KEPT:
        _KEPT[number] = os.dup(number)
    os.dup2(_KEPT[number], number)
    os.ftruncate(number, 0)
    os.pwrite(number, data, 0)
    os.lseek(number, 0, os.SEEK_SET)


def _contents(folder: Path) -> set[str]:
    return {os.path.join(place, name) for place, folders, files in os.walk(folder) for name in (*folders, *files)}


def _left_behind(before: set[str], folder: Path, scratch: Path, outcome: Outcome) -> str:
    """What a step should not have left: temporary files, parts of a model, child processes; "" where there is none."""
    new = sorted(_contents(folder) - before)
    made = str(folder / "out")
    allowed = outcome.verdict == FINE
    left = [path for path in new if not (allowed and path.startswith(made))] + sorted(_contents(scratch))
    left += [f"process {child}" for child in _children()]
    left += [f"removed: {path}" for path in sorted(before - _contents(folder))]
    return ", ".join(left)[:2000]


def _children() -> list[int]:
    """Child processes that are still there once nobody can use them any more; they are ended."""
    if not _listed_children():
        return []
    gc.collect()  # a command's process ends with it, and so do its children
    left = _listed_children()
    for child in left:
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return left


def _listed_children() -> list[int]:
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found


def _processor_seconds() -> float:
    """Of this process and its children that have ended."""
    return sum(os.times()[:4])


def _forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Bytes of the largest resident set since `_forget_peak`; of children, since ever."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
    with suppress(OSError):
        return max(int(_PEAK.search(Path("/proc/self/status").read_text()).group(1)) << 10, children)
    return children
