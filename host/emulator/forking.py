"""Threads after a fork: OpenMP's do not survive it, and a run that waits for them would never end."""

from __future__ import annotations

import os

__all__ = ["surviving_threads"]

_started = False  # this process, or one it was forked from, has run on several threads
_lost = False  # that was before the fork


def surviving_threads(wanted: int) -> int:
    """How many of `wanted` threads a run can have: one in a process forked after runs on several, else all.

    Bits do not depend on it. A child that is forked before any such run has threads of its own.
    """
    global _started
    if _lost:
        return 1
    _started = _started or wanted > 1
    return wanted


def _forked() -> None:
    global _lost
    _lost = _started


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
