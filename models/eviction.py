"""When rows of keys and values leave a cache: schedules that a trained network and a device both follow.

A text enters in units of `unit` tokens. At the end of a unit rows leave, and those that stay close ranks. Positions of
the rotary embedding stay those of the text, wherever a row lies.

Activation Beacon ("Soaring from 4K to 400K", stepwise expansion): behind every `ratio` tokens of a unit runs a
*beacon*, one further token. It sees the beacons of earlier units and its unit so far; what follows in the unit sees
both. At the unit's end its tokens leave and its beacons stay. Departures from the paper: a beacon has no projections of
its own (they would be further ternary matrices, which the fabric would have to stream), and its position is that of the
token before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.errors import OptionError

__all__ = ["BEACON", "BEACON_CHARACTER", "Schedule", "beacons", "everything", "random_rows", "window"]

BEACON = -1
"""Stands in `Schedule.tokens` for a beacon."""

BEACON_CHARACTER = "\N{LATIN SMALL LETTER Y WITH DIAERESIS}"
"""The word of a byte-level vocabulary that beacons are: byte 0xFF, which no UTF-8 text contains."""


class Schedule(NamedTuple):
    """Rows in the order in which they enter a cache.

    tokens: int64 [rows], which token of the text a row is, or BEACON. positions: int64 [rows], of the rotary embedding.
    lasts: int64 [rows], the last row that sees this one; it is never below the row's own number.
    """

    tokens: np.ndarray
    positions: np.ndarray
    lasts: np.ndarray

    @property
    def peak(self) -> int:
        """The most rows that are in the cache together."""
        rows = np.arange(len(self.tokens))
        return int(np.max(rows + 1 - np.searchsorted(np.sort(self.lasts), rows), initial=0))


def beacons(tokens: int, unit: int, ratios: Sequence[int]) -> Schedule:
    """Activation Beacon over so many tokens. ratios: of each unit in turn, from the beginning again where they end.

    `OptionError` where a ratio does not divide the unit.
    """
    entered, positions, lasts, kept = [], [], [], []
    for number, start in enumerate(range(0, tokens, unit)):
        ratio = ratios[number % len(ratios)]
        if ratio < 1 or unit % ratio:
            raise OptionError(f"a unit of {unit} tokens does not divide into parts of {ratio}")
        first = len(entered)
        for token in range(start, min(start + unit, tokens)):
            entered.append(token)
            positions.append(token)
            if (token + 1 - start) % ratio == 0:
                kept.append(len(entered))
                entered.append(BEACON)
                positions.append(token)
        lasts += [len(entered) - 1] * (len(entered) - first)
    found = Schedule(*(np.array(values, np.int64) for values in (entered, positions, lasts)))
    found.lasts[kept] = len(entered) - 1
    return found


def window(tokens: int, unit: int, rows: int, sinks: int) -> Schedule:
    """The first `sinks` tokens and the latest, at most `rows` together, a unit leaving at a time.

    Source: "Efficient Streaming Language Models with Attention Sinks". `OptionError` where a unit does not fit.
    """
    recent = rows - unit - sinks
    if recent < 0:
        raise OptionError(f"a window of {rows} rows does not hold {sinks} sinks and a unit of {unit}")
    number = np.arange(tokens)
    leaving = ((number + recent) // unit + 1) * unit - 1
    lasts = np.where(number < sinks, tokens - 1, np.minimum(leaving, tokens - 1))
    return Schedule(number, number, lasts)


def random_rows(tokens: int, unit: int, ratio: int, sinks: int, rng: np.random.Generator) -> Schedule:
    """A control: of each unit the rows of unit / ratio tokens drawn at random stay, and the first `sinks` tokens."""
    number = np.arange(tokens)
    lasts = np.minimum((number // unit + 1) * unit - 1, tokens - 1)
    for start in range(0, tokens, unit):
        size = min(unit, tokens - start)
        lasts[start + rng.choice(size, size // ratio, replace=False)] = tokens - 1
    lasts[:sinks] = tokens - 1
    return Schedule(number, number, lasts)


def everything(tokens: int) -> Schedule:
    """No row leaves."""
    number = np.arange(tokens)
    return Schedule(number, number, np.full(tokens, tokens - 1))
