"""Tokens a second of decoding with a mask, measured on this machine beside the dense model in turns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from host.pipeline.sparsity.measuring import Sessions
from host.pipeline.stage import Stage
from host.runtime import Session
from models.checkpoint import Model

__all__ = ["DecodeRace", "Speed"]

_PROMPT, _STEPS, _ROUNDS = 16, 8, 5


class Speed(NamedTuple):
    """tokens_per_s: the median of the rounds. of_dense: the median ratio to the dense model in the same round."""

    tokens_per_s: float
    of_dense: float


class DecodeRace:
    """Decodes the same tokens under masks and without: a prompt of 16 and 8 after it, five rounds after a warm-up."""

    def __init__(self, model: Model, ids: Sequence[int]):
        self._ids = list(ids[:_PROMPT + _STEPS])
        self._masked = Sessions(model)
        self._dense = Sessions(model).of([], {})

    def of(self, stages: Sequence[Stage]) -> Speed:
        """The speed under stages."""
        masked = self._masked.of(stages, {})
        rounds = [[self._rate(session) for session in (self._dense, masked)] for _ in range(_ROUNDS + 1)]
        return Speed(median(rate for _, rate in rounds[1:]), median(rate / dense for dense, rate in rounds[1:]))

    def _rate(self, session: Session) -> float:
        prompt = self._ids[:max(1, len(self._ids) - _STEPS)]
        session.reset()
        session.prefill(prompt)
        steps = self._ids[len(prompt):]
        started = time.perf_counter()
        for token in steps:
            session.decode(token)
        return len(steps) / (time.perf_counter() - started)
