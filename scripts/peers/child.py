"""A command in a process of its own, for figures that must not share memory, threads or caches with the next one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from models.child_process import run_child
from models.errors import BuildError, OptionError

__all__ = ["child_json", "child_output"]


def child_output(command: Sequence[str], request: str = "") -> str:
    """What a process prints, given `request` on standard input.

    `OptionError` where there is no such program; `BuildError` with the last line of its standard error where it fails,
    without an "error: " before it.
    """
    try:
        done = run_child(command, input=request, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         errors="replace")
    except OSError as error:
        raise OptionError(f"cannot run {command[0]}: {error.strerror}") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{' '.join(command[:3])}: exit status {done.returncode}"]
        raise BuildError(lines[-1].removeprefix("error: "))
    return done.stdout


def child_json(command: Sequence[str], request: object = None) -> dict:
    """The JSON object that a process prints, given `request` as JSON on standard input; errors as `child_output`."""
    return json.loads(child_output(command, json.dumps(request)))
