"""The first moments of a command, before its imports: Ctrl-C is quiet, and our packages find one another.

Each package's `__init__` calls `prepare`, since `python -m PACKAGE.COMMAND` runs that before anything else of ours.
Imported as a library, or under a test runner, it does nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

__all__ = ["INTERRUPTED", "exit_on_interrupt", "find_own_packages", "leave_folder", "prepare"]

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

_HOME = Path(__file__).resolve().parent.parent


def prepare() -> None:
    """Where Python is starting one of our commands by `-m`, make it ready; otherwise nothing."""
    if sys.argv[:1] == ["-m"]:  # what it holds until the module is found
        leave_folder()
        exit_on_interrupt()


def exit_on_interrupt() -> None:
    """Until a command takes over, Ctrl-C ends the process at once: an import that is cut short leaves a traceback."""
    ours = threading.current_thread() is threading.main_thread()
    if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))


def find_own_packages() -> None:
    """Put our own packages before others of the same names on the path of modules, where they are not yet."""
    for name in ("models", "hw", "host", "sim"):
        spec = find_spec(name)
        if spec is None or spec.origin is None or _HOME not in Path(spec.origin).resolve().parents:
            sys.path.insert(0, str(_HOME))
            return


def leave_folder() -> None:
    """Take the working folder off the path of modules, where `-m` puts it first, unless it is our own checkout.

    It may hold a `models` or `host` of the user's, which would hide ours.
    """
    with suppress(OSError):  # a folder that is gone
        here = Path.cwd()
        if here != _HOME and sys.path and Path(sys.path[0]).resolve() == here:
            del sys.path[0]
