"""Where turns come from: a line editor at a terminal that can have one, else plain lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from host.terminal.completion import Names
from host.terminal.plain_input import at_terminal, user_lines

__all__ = ["has_editor", "turns_of"]


def has_editor() -> bool:
    """Whether there are both ends of a terminal, one that moves its cursor, and prompt_toolkit."""
    screen = sys.stdout is not None and sys.stdout.isatty()
    able = os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
    return at_terminal() and screen and able and find_spec("prompt_toolkit") is not None


def turns_of(names: Callable[[], Names]) -> Iterator[str]:
    """Turns until the input ends. names: for completion."""
    if not has_editor():
        yield from user_lines()
        return
    from host.terminal.line_editor import LineEditor  # late: the base install has no prompt_toolkit

    yield from LineEditor(names).turns()
