"""A Bible of the SWORD project to plain text, a heading a chapter and a line a verse, as `models.train` splits books.

`mod2imp MODULE | python -m scripts.read_bible_module -o FILE`: mod2imp is in Debian's `libsword-utils`. Texts without
rights of others are in `sword-text-sparv` (Spanish, Reina-Valera 1909: module spaRV1909eb) and `sword-text-kjv`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from models.command import CommandParser, run_command
from models.errors import OptionError

__all__ = ["main", "verses"]

ENTRY = re.compile(r"^\$\$\$(?:\[.*\]|.+ (\d+):(\d+))$")
BOOK = re.compile(r'<milestone n="([^"]+)" type="x-usfm-h"/>')
ADDED = re.compile(r"</?transChange[^>]*>")
"""Words that the translators added: the module has no spaces around them."""
TAG = re.compile(r"<[^>]*>")


def verses(lines: Iterable[str]) -> Iterator[str]:
    """The lines of the text, of mod2imp's output: `Book 3`, an empty line, the verses of the chapter, an empty line.

    Books have the names that the module's own headings give them. Verse 0, which is such a heading, is left out.
    """
    book, chapter, verse, begun = "", 0, 0, None
    for line in lines:
        if entry := ENTRY.match(line.rstrip("\n")):
            chapter, verse = (int(number or 0) for number in entry.groups())
            continue
        if name := BOOK.search(line):
            book = name[1]
        text = " ".join(TAG.sub("", ADDED.sub(" ", line)).split())
        if not text or not chapter or not verse:
            continue
        if begun != (book, chapter):
            yield from ([] if begun is None else [""])
            yield from (f"{book} {chapter}", "")
            begun = book, chapter
        yield re.sub(r" ([,.;:?!)])", r"\1", text)


def main(arguments: list[str] | None = None) -> None:
    """The command; `OptionError` where standard input has no verses."""
    parser = CommandParser("scripts.read_bible_module", description=__doc__.partition(":")[0],
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="text file to write")
    options = parser.parse_args(arguments)
    text = "\n".join(verses(sys.stdin))
    if not text:
        raise OptionError("standard input has no verses: expected the output of mod2imp")
    options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_command(main)
