"""The other side of `process.py`: runs one program, answers requests on standard output until its input ends.

Started by its path in an isolated Python, so nothing of ours can be imported here or in the programs.
"""

from __future__ import annotations

import json
import os
import resource
import runpy
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from math import ceil

_LONGEST = 4000  # characters of an error


def main() -> None:
    """Lines of JSON both ways. The first names the program and its limits; each other one is a request."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    first = json.loads(sys.stdin.buffer.readline())
    sys.path[:] = first["path"]
    for kind, limit in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, first["memory"])):
        with suppress(OSError, ValueError):  # systems that lack one
            resource.setrlimit(kind, (limit, limit))
    answer = None

    def start() -> None:
        nonlocal answer
        answer = runpy.run_path(first["program"])["start"](first["setup"])

    def say(work: Callable[[], object]) -> None:
        _allow(first["seconds"])
        answers.write(_reply(work) + b"\n")
        answers.flush()

    say(start)
    while answer and (line := sys.stdin.buffer.readline()):
        say(lambda: answer(json.loads(line)))


def _reply(work: Callable[[], object]) -> bytes:
    try:
        return json.dumps({"answer": work()}).encode()
    except BaseException as error:  # the Rust libraries' panics are no Exception
        return json.dumps({"error": type(error).__name__, "text": str(error)[:_LONGEST]}).encode()


def _allow(seconds: int) -> None:
    """So much processor time from now; the system ends the process beyond it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(used.ru_utime + used.ru_stime) + seconds, hard))


main()
