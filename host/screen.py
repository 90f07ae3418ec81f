"""Text on its way to a terminal, which acts on control characters: sets its title, clears itself, forges lines."""

from __future__ import annotations

import re
import sys

from models.errors import printable

__all__ = ["shown", "without_controls"]

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed


def without_controls(text: str) -> str:
    """`text` with control characters other than tab and line feed as escapes."""
    return _CONTROLS.sub(lambda found: printable(found[0]), text)


def shown(text: str) -> str:
    """A prompt or a model's words as they go to standard output: unchanged, unless that is a terminal."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    return without_controls(text) if terminal else text
