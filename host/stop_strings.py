"""Texts that end a generation: nothing of them is shown, wherever tokens cut them."""

from __future__ import annotations

from collections.abc import Sequence

from models.errors import ModelError

__all__ = ["StopStrings"]


class StopStrings:
    """Passes text on, withholding what could be the start of a stop string.

    `found`: the one that came, None so far. Nothing of the text from its start on is passed on.
    """

    def __init__(self, stops: Sequence[str] = ()):
        if "" in stops:
            raise ModelError("--stop must not be empty")
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


def _overlap(text: str, stop: str) -> int:
    """Characters at the end of `text` with which `stop` starts."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)
