"""Sequences that come twice. Of random tokens the second half can be foretold from the first alone.

Their periods differ between sequences, so that a head which looks back by a fixed distance does not pass for one that
looks for the token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.errors import OptionError

__all__ = ["Repeated", "repeated_passages", "repeated_sequences", "reversed_sequences"]


class Repeated(NamedTuple):
    """ids: the first `period` tokens, then as many again."""

    ids: tuple[int, ...]
    period: int

    @property
    def second(self) -> slice:
        """Of the losses of ids[1:], those that the first half foretells; the first token of the second half is not
        among them."""
        return slice(self.period, 2 * self.period - 1)

    @property
    def first(self) -> slice:
        """Of the losses of ids[1:], those of the first half, as many."""
        return slice(0, self.period - 1)


def repeated_sequences(tokens: Sequence[int], count: int, period: int, seed: int) -> list[Repeated]:
    """`count` sequences of periods from half of `period` to all of it, each of different `tokens`.

    `OptionError` where there are too few tokens to draw from.
    """
    return [Repeated((*half, *half), len(half)) for half in _halves(tokens, count, period, seed)]


def reversed_sequences(tokens: Sequence[int], count: int, period: int, seed: int) -> list[Repeated]:
    """As `repeated_sequences` of the same seed, but the second half is the first one backwards."""
    return [Repeated((*half, *half[::-1]), len(half)) for half in _halves(tokens, count, period, seed)]


def repeated_passages(windows: Sequence[Sequence[int]], period: int) -> list[Repeated]:
    """The first `period` tokens of each window of a text, twice."""
    return [Repeated((*window[:period], *window[:period]), period) for window in windows]


def _halves(tokens: Sequence[int], count: int, period: int, seed: int) -> list[list[int]]:
    pool = np.unique(np.asarray(tokens, np.int64))
    if len(pool) < period:
        raise OptionError(f"a period of {period} takes as many different tokens to draw from, and there are "
                          f"{len(pool)}: give more text, or a shorter period")
    draw = np.random.default_rng(seed)
    lengths = draw.integers(-(-period // 2), period + 1, count)
    return [draw.choice(pool, int(length), replace=False).tolist() for length in lengths]
