"""What a request becomes: ids and text as they come, why it ended, what it took."""

from __future__ import annotations

import time
from collections.abc import Collection
from enum import Enum

from host.engine.logits import TokenScore
from host.engine.request import Request
from host.pipeline.host_steps import Acting
from host.stop_strings import StopStrings
from host.text import Text

__all__ = ["Finish", "Reply"]


class Finish(Enum):
    """Why a reply ended. Where the limit and the context end together, it is the context."""

    END = "end"  # an id that ends it
    STOP = "stop"  # a stop string, or the special token that it names
    LIMIT = "limit"
    CONTEXT = "context"
    CANCELLED = "cancelled"


class Reply:
    """Grows with the engine's passes, until `finish` says why it ended.

    ids: new ones. text: theirs, in whole characters, without what could be the start of a stop string; None where there
    is no tokenizer. prompt_done: ids of the prompt in the cache; cached: those that were there before. passes: those
    that gave ids, the prompt's left out; drafted, accepted: drafts that they checked, and that stood. acting: the
    request's stages, ready for the session. scores: of the new ids, and prompt_scores of the prompt's from the second
    on, where the request wants them.
    """

    def __init__(self, request: Request, *, ends: Collection[int], stop_ids: Collection[int], text: Text | None,
                 room: int, acting: Acting | None = None):
        self.request, self.acting = request, acting
        self.ids: list[int] = []
        self.scores: list[TokenScore] = []
        behind = len(request.ids) - 1 if request.prompt_logprobs else 0
        self.prompt_scores: list[TokenScore | None] = [None for _ in range(behind)]
        self.text: str | None = "" if text else None
        self.finish: Finish | None = None
        self.prompt_done = self.cached = self.passes = self.drafted = self.accepted = 0
        self._ends, self._stop_ids, self._room = ends, stop_ids, room
        self._stops, self._stream = StopStrings(request.stops), text.stream(request.ids) if text else None
        self._taken = 0
        self._started: float | None = None
        self._first: float | None = None
        self._last: float | None = None
        self._ended: float | None = None

    @property
    def left(self) -> int:
        """New ids that may still come."""
        room, limit = self._room, self.request.limit
        return (room if limit is None else min(room, limit)) - len(self.ids)

    @property
    def prefill_s(self) -> float:
        """Wall time from the start of the prompt to the first new id; without one, to the end or until now."""
        if self._started is None:
            return 0.0
        return (self._first or self._ended or time.perf_counter()) - self._started

    @property
    def decode_s(self) -> float:
        """Wall time from the first new id to the last."""
        return self._last - self._first if self.ids else 0.0

    @property
    def speed(self) -> float:
        """New ids a second, after the first."""
        return (len(self.ids) - 1) / self.decode_s if self.decode_s else 0.0

    def take_text(self) -> str:
        """The text that came since the last call, "" where there is no tokenizer."""
        text = self.text or ""
        piece, self._taken = text[self._taken:], len(text)
        return piece

    def start(self, cached: int) -> None:
        """For the engine: its prompt runs from now on, behind `cached` ids."""
        self._started = time.perf_counter()
        self.cached = self.prompt_done = cached

    def take(self, token: int, score: TokenScore | None = None) -> bool:
        """For the engine: the next id; whether it is part of the reply, which `finish` may then have ended."""
        if token in self._stop_ids or token in self._ends:
            self.end(Finish.STOP if token in self._stop_ids else Finish.END)
            return False
        self._last = time.perf_counter()
        self._first = self._first or self._last
        self.ids.append(token)
        if score is not None:
            self.scores.append(score)
        if self._stream:
            self.text += self._stops(self._stream(token))
        if self._stops.found is not None:
            self.end(Finish.STOP)
        elif len(self.ids) == self._room:
            self.end(Finish.CONTEXT)
        elif not self.left:
            self.end(Finish.LIMIT)
        return True

    def end(self, finish: Finish) -> None:
        """For the engine: nothing more comes."""
        if self._stream and finish != Finish.CANCELLED:
            self.text += self._stops(self._stream.end()) + self._stops.end()
        self._ended, self.finish = time.perf_counter(), finish
