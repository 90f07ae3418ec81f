"""Tools in processes of their own, none of which outlives the command that started it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

__all__ = ["run_child"]


def run_child(command: Sequence[str], *, input: str | None = None, watch: Callable[[], None] | None = None,
              every: float = 10, **settings: Any) -> subprocess.CompletedProcess:
    """`subprocess.run`, the child in a session of its own.

    Ctrl-C reaches this process alone, so that no tool writes of it; where an exception ends the wait, the child ends
    with all that it started. watch: called `every` so many seconds while it runs, and may raise one. settings: of
    `subprocess.Popen`.
    """
    stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
    with subprocess.Popen(command, stdin=stdin, start_new_session=True, **settings) as child:
        try:
            while True:
                try:
                    out, error = child.communicate(input, timeout=every if watch else None)
                    break
                except subprocess.TimeoutExpired:
                    input = None  # it is on its way
                    watch()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, child.returncode, out, error)
