"""A text in a cache that rows leave: scored or continued as a schedule says."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import numpy as np

from host.context.rows import keep_rows, set_rotations
from host.runtime import Session
from models.errors import OptionError
from models.eviction import BEACON, Schedule

__all__ = ["ScheduledText"]


class ScheduledText:
    """Sequence 0 of a session, from its beginning, along a schedule: which rows enter, and which leave when.

    beacon: id of beacons. The text may be longer than the session's context, up to the schedule's tokens; the rows that
    are in the cache together may not (`OptionError`). Equal bits on every device. The session's rotary table is ours
    until `close`, or until the end of a `with`; other sequences must not be used so long.
    """

    def __init__(self, session: Session, schedule: Schedule, beacon: int = 0):
        if schedule.peak > session.context:
            raise OptionError(f"the schedule keeps {schedule.peak} rows, the context holds {session.context}")
        self._session, self._schedule, self._beacon = session, schedule, beacon
        self._leaving = np.unique(schedule.lasts)  # rows after which others leave
        self._rows = np.empty(0, np.int64)  # that are in the cache, by their numbers
        self._next = 0
        session.position = 0

    def __enter__(self) -> ScheduledText:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    def append(self, ids: Sequence[int]) -> np.ndarray:
        """Append tokens, and the beacons that come behind them; the integer logits after each token, int32 [n, vocab].

        `OptionError` for more tokens than the schedule has.
        """
        begin, tokens = self._next, self._schedule.tokens[self._next:]
        places = np.flatnonzero(tokens != BEACON)
        if len(ids) > len(places):
            raise OptionError(f"{len(ids)} tokens, but the schedule has room for {len(places)} more")
        tokens = tokens[:places[len(ids)]] if len(ids) < len(places) else tokens
        of_text = tokens != BEACON
        entering = np.full(len(tokens), self._beacon)
        entering[of_text] = ids
        logits = [np.empty((0, self._session.model.config.vocab_size), np.int32)]
        while self._next < begin + len(tokens):
            first = self._next - begin
            stop = min(int(self._leaving[np.searchsorted(self._leaving, self._next)]) + 1 - begin, len(tokens))
            logits.append(self._run(entering[first:stop])[of_text[first:stop]])
        return np.concatenate(logits)

    def close(self) -> None:
        """Empty the cache and give the session its own rotary table back."""
        self._session.position = 0
        set_rotations(self._session, 0, range(self._session.context))

    def _run(self, ids: np.ndarray) -> np.ndarray:
        """The next rows, none of which leaves before the last has entered; the logits after each."""
        session, first = self._session, self._next
        self._next += len(ids)
        rows = np.arange(first, self._next)
        set_rotations(session, session.position, self._schedule.positions[rows])
        logits = session.score(ids.tolist())
        self._rows = np.concatenate([self._rows, rows])
        stay = np.flatnonzero(self._schedule.lasts[self._rows] >= self._next)
        if len(stay) < len(self._rows) and self._next < len(self._schedule.tokens):
            keep_rows(session, stay)
            self._rows = self._rows[stay]
        return logits
