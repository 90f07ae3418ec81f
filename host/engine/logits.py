"""All logits of a next token: what a request may change in them, the best of them, and log-probabilities.

A device returns the best k of a row alone. Where a request wants more, its passes return all (`Session.score_parts`),
and the best k are taken here, in the device's order: who shares those passes gets what it would get anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from host.runtime import Top
from models.errors import OptionError
from models.golden.head import LOGIT_FRACTION, top_k

__all__ = ["FORBIDDEN", "LogitBias", "TokenScore", "best_of", "token_score"]

FORBIDDEN = np.iinfo(np.int64).min
"""The logit of a token that must not come."""


class TokenScore(NamedTuple):
    """A token's natural logarithm of its probability, and the best ones' there: (id, logarithm), best first."""

    token: int
    logprob: float
    best: tuple[tuple[int, float], ...]


class LogitBias:
    """Adds to logits by token id; `OptionError` for an id outside the vocabulary."""

    def __init__(self, bias: Mapping[int, float], vocab: int):
        if wrong := [token for token in bias if not 0 <= token < vocab]:
            raise OptionError(f"token id {wrong[0]} is outside the vocabulary of {vocab}")
        self._ids = np.array(list(bias), np.int64)
        self._added = np.round(np.array(list(bias.values()), np.float64) * (1 << LOGIT_FRACTION)).astype(np.int64)

    def __call__(self, logits: np.ndarray, history: Sequence[int]) -> np.ndarray:
        """int64 [vocab], changed in place."""
        logits[self._ids] += self._added
        return logits


def best_of(logits: np.ndarray, k: int) -> Top:
    """The best k of integer logits [vocab] in a device's order, none that is forbidden: fewer, or none, may be left."""
    k = min(k, logits.size)
    least = max(int(np.partition(logits, logits.size - k)[logits.size - k]), FORBIDDEN + 1)
    ids = np.flatnonzero(logits >= least)
    return Top(*top_k(logits[ids], k, ids))


def token_score(logits: np.ndarray, token: int, count: int) -> TokenScore:
    """Of a token under integer logits [vocab], with the `count` best beside it."""
    values = logits / float(1 << LOGIT_FRACTION)
    highest = values.max()
    normaliser = highest + np.log(np.exp(values - highest).sum())
    best = best_of(logits, count) if count else None
    return TokenScore(token, float(values[token] - normaliser), () if best is None else tuple(
        (int(index), float(value - normaliser)) for index, value in zip(best.ids, best.values, strict=True)))
