"""The part of a document that a script writes: between two marks of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from models.errors import OptionError

__all__ = ["rewrite_marked", "table_rows"]


def rewrite_marked(path: Path, start: str, end: str, body: Callable[[str], str]) -> None:
    """Replace what stands between two marks, each a line, by `body` of it; `OptionError` where they are missing."""
    text = path.read_text(encoding="utf-8")
    found = re.search(f"{re.escape(start)}\n(.*){re.escape(end)}", text, re.DOTALL)
    if not found:
        raise OptionError(f"{path}: expected the marks {start} and {end}")
    path.write_text(f"{text[:found.start()]}{start}\n{body(found[1])}\n{end}{text[found.end():]}", encoding="utf-8")


def table_rows(header: str, rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table, an empty one behind it. header: names of the columns, " | " between them."""
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return [f"| {header} |", f"|{' --- |' * (header.count('|') + 1)}", *lines, ""]
