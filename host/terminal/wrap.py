"""Text that comes in pieces, broken at a terminal's width between words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

__all__ = ["Wrap", "columns_of"]

_TAB = 8
_PARTS = re.compile(r"(\n|[ \t]+)")


def columns_of(character: str) -> int:
    """Columns that a terminal gives a character: 0 where it joins the one before, 2 where it is wide."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Wrap:
    """Called with the next piece, gives what can be shown; `end` gives the rest.

    A line breaks at spaces, which then go, and beside wide characters; a word breaks only where it is longer than a
    line. The last word is held back until it ends, as it may have to go to the next line. Line ends and the spaces
    behind them stay. width: asked at each word, since a window may change; at least 1.
    """

    def __init__(self, width: Callable[[], int]):
        self._width = width
        self._column = 0
        self._spaces = self._word = ""

    def __call__(self, piece: str) -> str:
        """What `piece` completes."""
        shown = ""
        for part in _PARTS.split(piece):
            if part == "\n":
                shown += self._place() + "\n"
                self._spaces, self._column = "", 0
            elif part.isspace():
                shown += self._place()
                self._spaces += part
            else:
                for character in part:
                    if columns_of(character) == 2:
                        shown += self._place()
                        self._word = character
                    else:
                        shown += self._place() if self._ends_wide() and columns_of(character) else ""
                        self._word += character
        return shown

    def end(self) -> str:
        """What was held back."""
        return self._place()

    def _ends_wide(self) -> bool:
        return bool(self._word) and columns_of(self._word[0]) == 2

    def _place(self) -> str:
        """The held word with the spaces before it, or on a line of its own."""
        word, spaces, width = self._word, self._spaces, max(1, self._width())
        if not word:
            return ""
        self._word = self._spaces = ""
        gap = "".join(" " * (_TAB - self._column % _TAB) if space == "\t" else space for space in spaces)
        size = sum(map(columns_of, word))
        broken = self._column > 0 and self._column + len(gap) + size > width
        if broken:
            self._column, gap = 0, ""
        shown = "\n" * broken + gap
        self._column += len(gap)
        for character in word:
            if self._column and self._column + columns_of(character) > width:
                shown, self._column = shown + "\n", 0
            shown += character
            self._column += columns_of(character)
        return shown
