"""Texts that end a generation: nothing of them is shown, wherever tokens cut them.

A special token's name ends it at that token, which decodes to no text.
"""

from __future__ import annotations

from collections.abc import Sequence

from host.text import Text
from models.errors import OptionError

__all__ = ["StopStrings", "stop_ids"]


class StopStrings:
    """Passes text on, withholding what could be the start of a stop string.

    `found`: the one that came, None so far. Nothing of the text from its start on is passed on.
    """

    def __init__(self, stops: Sequence[str] = ()):
        if "" in stops:
            raise OptionError("a stop string must not be empty")
        self._stops = tuple(stops)
        self._held = ""
        self.found: str | None = None

    def __call__(self, piece: str) -> str:
        """The text that can be shown now that `piece` came."""
        if self.found is not None:
            return ""
        text = self._held + piece
        places = [(at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if places:
            end, self.found = min(places)
        else:
            end = len(text) - max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = "" if places else text[end:]
        return text[:end]

    def end(self) -> str:
        """What was withheld and turned out to be no stop string, as nothing more comes."""
        held, self._held = self._held, ""
        return held


def stop_ids(stops: Sequence[str], text: Text) -> set[int]:
    """Special tokens that the stop strings name.

    `OptionError` for a name with other text around it: it would never come, since the token is no part of the text.
    """
    names = text.special_tokens()
    for stop in stops:
        inside = [name for name in names if name and name in stop]
        if stop not in names and inside:
            raise OptionError(f"the stop string {stop!r} would never come: the special token {max(inside, key=len)} in "
                              "it is no part of the text; give its name as a stop string of its own")
    return {names[stop] for stop in stops if stop in names}


def _overlap(text: str, stop: str) -> int:
    """Characters at the end of `text` with which `stop` starts."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)
