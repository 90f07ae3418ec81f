"""Tokens per second of decoding under stages, measured on this machine beside the plain model in turns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from host.pipeline.measuring import Sessions
from host.pipeline.stage import Stage
from host.runtime import Session
from models.checkpoint import Model
from models.errors import OptionError

__all__ = ["DecodeRace", "Speed"]

_PROMPT, _STEPS, _ROUNDS = 16, 8, 5


class Speed(NamedTuple):
    """tokens_per_s: of the median token. of_dense: the median ratio to the dense model on the same token."""

    tokens_per_s: float
    of_dense: float


class DecodeRace:
    """Decodes the same tokens under stages and under those of `beside` (by default none, the dense model), in turns: 8
    behind a prompt of 16, five rounds after a warm-up. `OptionError` for so few ids that no prompt is left."""

    def __init__(self, model: Model, ids: Sequence[int], beside: Sequence[Stage] = ()):
        if len(ids) <= _STEPS:
            raise OptionError(f"too short a text to decode: {len(ids)} tokens, and {_STEPS + 1} are the least")
        self._ids = list(ids[:_PROMPT + _STEPS])
        self._masked = Sessions(model)
        self._dense = Sessions(model).of(beside, {})

    def of(self, stages: Sequence[Stage]) -> Speed:
        """The speed under stages."""
        sides = (self._dense, self._masked.of(stages, {}))
        times = [each for _ in range(_ROUNDS + 1) for each in self._round(sides)][_STEPS:]
        return Speed(1 / median(masked for _, masked in times), median(dense / masked for dense, masked in times))

    def _round(self, sides: Sequence[Session]) -> list[list[float]]:
        """Seconds of each step on each side; each side is the first in its turn."""
        prompt = self._ids[:-_STEPS]
        for session in sides:
            session.reset()
            session.prefill(prompt)
        found = []
        for step, token in enumerate(self._ids[len(prompt):]):
            turn = -1 if step % 2 else 1
            found.append([_seconds(session, token) for session in sides[::turn]][::turn])
        return found


def _seconds(session: Session, token: int) -> float:
    started = time.perf_counter()
    session.decode(token)
    return time.perf_counter() - started
