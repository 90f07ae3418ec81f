"""Decoding under stages: tokens per second beside the plain model in turns, measured on this machine; bytes not read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import mean, median
from typing import NamedTuple

from host.pipeline.measuring import Sessions
from host.pipeline.stage import Stage
from host.runtime import Session
from models.checkpoint import Model
from models.errors import OptionError

__all__ = ["DecodeRace", "Speed"]

_PROMPT, _STEPS, _ROUNDS = 16, 8, 5
_SECONDS = 10  # no round begins later


class Speed(NamedTuple):
    """tokens_per_s: of the median token. of_dense: the median ratio to the dense model on the same token. unread: bytes
    of ternary matrices that the emulator left unread, the mean of a token."""

    tokens_per_s: float
    of_dense: float
    unread: float


class _Token(NamedTuple):
    seconds: float
    unread: int


class DecodeRace:
    """Decodes the same tokens under stages and under those of `beside` (by default none, the dense model), in turns: 8
    behind a prompt of 16, five rounds after a warm-up, fewer where they take long. `OptionError` for so few ids that no
    prompt is left."""

    def __init__(self, model: Model, ids: Sequence[int], beside: Sequence[Stage] = ()):
        if len(ids) <= _STEPS:
            raise OptionError(f"too short a text to decode: {len(ids)} tokens, and {_STEPS + 1} are the least")
        self._ids = list(ids[:_PROMPT + _STEPS])
        self._masked = Sessions(model)
        self._dense = Sessions(model).of(beside, {})

    def of(self, stages: Sequence[Stage]) -> Speed:
        """The speed under stages."""
        sides = (self._dense, self._masked.of(stages, {}))
        self._round(sides)  # warms up
        times, ends = self._round(sides), time.monotonic() + _SECONDS
        while len(times) < _ROUNDS * _STEPS and time.monotonic() < ends:
            times += self._round(sides)
        return Speed(1 / median(masked.seconds for _, masked in times),
                     median(dense.seconds / masked.seconds for dense, masked in times),
                     mean(masked.unread for _, masked in times))

    def _round(self, sides: Sequence[Session]) -> list[list[_Token]]:
        """Each step on each side; each side is the first in its turn."""
        prompt = self._ids[:-_STEPS]
        for session in sides:
            session.reset()
            session.prefill(prompt)
        found = []
        for step, token in enumerate(self._ids[len(prompt):]):
            turn = -1 if step % 2 else 1
            found.append([_decoded(session, token) for session in sides[::turn]][::turn])
        return found


def _decoded(session: Session, token: int) -> _Token:
    before, started = _unread(session), time.perf_counter()
    session.decode(token)
    return _Token(time.perf_counter() - started, _unread(session) - before)


def _unread(session: Session) -> int:
    counters = session.counters
    assert counters.weight_bytes is not None and counters.weight_bytes_read is not None  # the emulator counts them
    return counters.weight_bytes - counters.weight_bytes_read
