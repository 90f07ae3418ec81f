"""What was typed in earlier chats: a file that nobody else can read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["history_file", "state_folder"]


def state_folder() -> Path:
    """`tritloom` under $XDG_STATE_HOME, else under ~/.local/state."""
    base = os.environ.get("XDG_STATE_HOME")
    return Path(base if base and os.path.isabs(base) else os.path.expanduser("~/.local/state")) / "tritloom"


def history_file() -> Path | None:
    """The file, made where it is missing, for its owner alone to read; None where it cannot be had."""
    path = state_folder() / "chat_history"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.fchmod(descriptor, 0o600)  # one that was there may be open to others
        finally:
            os.close(descriptor)
        return path
    return None
