"""Two manners of writing, Jane Austen's and the King James Bible's: their texts as files.

Held out, as the shipped model's training does: Northanger Abbey, Romans and 1 Timothy.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from models.errors import OptionError
from models.text_file import read_text_file

__all__ = ["Manners", "write_manners"]

_HELD_OUT_NOVEL, _HELD_OUT_BOOKS = "austen_northanger_abbey", ("Romans", "1 Timothy")
_CHAPTER = re.compile(r"^((?:[1-3] )?[A-Z][A-Za-z]*(?: [A-Za-z]+)*) \d+\n\n", re.MULTILINE)


class Manners(NamedTuple):
    """Files of each manner: training text, and text that the shipped model never saw."""

    scripture: Path
    austen: Path
    held_out_scripture: Path
    held_out_austen: Path


def write_manners(data: Path, folder: Path) -> Manners:
    """Write the four files of a folder of texts into another one, chapter headings of the Bible left out."""
    novels = {path.stem: read_text_file(path) for path in sorted(data.glob("austen_*.txt"))}
    bible = read_text_file(data / "kjv.txt")
    if _HELD_OUT_NOVEL not in novels or len(novels) < 2:
        raise OptionError(f"{data} lacks {_HELD_OUT_NOVEL}.txt or the other novels")
    parts = _CHAPTER.split(bible)[1:]
    chapters = list(zip(parts[::2], parts[1::2], strict=True))
    texts = {"held_out/austen": novels.pop(_HELD_OUT_NOVEL),
             "held_out/scripture": "".join(text for book, text in chapters if book in _HELD_OUT_BOOKS),
             "austen": "\n".join(novels.values()),
             "scripture": "".join(text for book, text in chapters if book not in _HELD_OUT_BOOKS)}
    (folder / "held_out").mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return Manners(*(folder / f"{name}.txt" for name in ("scripture", "austen", "held_out/scripture",
                                                         "held_out/austen")))
