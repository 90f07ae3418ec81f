"""A command in a process of its own, for figures that must not share memory, threads or caches with the next one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from models.errors import ModelError

__all__ = ["child_json"]


def child_json(command: Sequence[str], request: object = None) -> dict:
    """The JSON object that a process prints, given `request` as JSON on standard input.

    `ModelError` with the last line of its standard error where it fails, without an "error: " before it.
    """
    try:
        done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise ModelError(f"cannot run {command[0]}: {error.strerror}") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{' '.join(command[:3])}: exit status {done.returncode}"]
        raise ModelError(lines[-1].removeprefix("error: "))
    return json.loads(done.stdout)
