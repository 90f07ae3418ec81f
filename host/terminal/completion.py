"""What can stand where a command is being typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["FILES", "Names", "candidates"]

FILES: tuple[str, ...] = ("(files)",)
"""In place of words: names of files."""


class Names(NamedTuple):
    """commands: without the slash; files: those of them that take a file name; settings, stages: of /set."""

    commands: Sequence[str]
    files: Sequence[str]
    settings: Sequence[str]
    stages: Sequence[str]


def candidates(text: str, names: Names) -> tuple[int, Sequence[str]]:
    """Where in `text`, which ends at the cursor, the last word begins, and the words that it may become or `FILES`."""
    if not text.startswith("/") or "\n" in text:
        return len(text), ()
    command, space, rest = text[1:].partition(" ")
    if not space:
        return 1, _beginning(command, [f"{name} " for name in names.commands])
    start = len(command) + 2
    if command in names.files:
        return start, FILES
    if command != "set":
        return len(text), ()
    name, space, value = rest.partition(" ")
    if not space:
        return start, _beginning(name, [f"{setting} " for setting in names.settings])
    return start + len(name) + 1, _beginning(value, [f"{stage} " for stage in names.stages] if name == "stage" else ())


def _beginning(word: str, words: Sequence[str]) -> list[str]:
    return [known for known in words if known.startswith(word)]
