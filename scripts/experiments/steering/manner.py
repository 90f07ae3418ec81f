"""Two manners of writing, Jane Austen's and the King James Bible's: their texts as files.

Held out, as the shipped model's training does: Northanger Abbey, Romans and 1 Timothy.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from models.errors import OptionError
from models.text_file import read_text_file

__all__ = ["AUSTEN", "SCRIPTURE", "Manners", "read_manners", "write_manners"]

AUSTEN, SCRIPTURE = "austen", "scripture"

_HELD_OUT_NOVEL, _HELD_OUT_BOOKS = "austen_northanger_abbey", ("Romans", "1 Timothy")
_CHAPTER = re.compile(r"^((?:[1-3] )?[A-Z][A-Za-z]*(?: [A-Za-z]+)*) \d+\n\n", re.MULTILINE)


class Manners(NamedTuple):
    """Files of each manner: training text, and text that the shipped model never saw."""

    scripture: Path
    austen: Path
    held_out_scripture: Path
    held_out_austen: Path


def read_manners(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Training text and held-out text of each manner, chapter headings of the Bible left out."""
    novels = {path.stem: read_text_file(path) for path in sorted(folder.glob("austen_*.txt"))}
    bible = read_text_file(folder / "kjv.txt")
    if _HELD_OUT_NOVEL not in novels or len(novels) < 2:
        raise OptionError(f"{folder} lacks {_HELD_OUT_NOVEL}.txt or the other novels")
    parts = _CHAPTER.split(bible)[1:]
    chapters = list(zip(parts[::2], parts[1::2], strict=True))
    held_out = {AUSTEN: novels.pop(_HELD_OUT_NOVEL),
                SCRIPTURE: "".join(text for book, text in chapters if book in _HELD_OUT_BOOKS)}
    training = {AUSTEN: "\n".join(novels.values()),
                SCRIPTURE: "".join(text for book, text in chapters if book not in _HELD_OUT_BOOKS)}
    return training, held_out


def write_manners(data: Path, folder: Path) -> Manners:
    """What `read_manners` finds in `data`, as files in a folder."""
    training, held_out = read_manners(data)
    (folder / "held_out").mkdir(parents=True, exist_ok=True)
    paths = []
    for texts, place in ((training, folder), (held_out, folder / "held_out")):
        for manner in (SCRIPTURE, AUSTEN):
            paths.append(place / f"{manner}.txt")
            paths[-1].write_text(texts[manner], encoding="utf-8")
    return Manners(*paths)
