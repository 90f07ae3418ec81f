"""Prompts that differ in one word, and on whose next word the model decides otherwise for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from host.text import Text

__all__ = ["SWAPS", "PromptPair", "find_pairs", "swapped_tokens"]

SWAPS = (("he", "she"), ("his", "her"), ("him", "them"), ("Mr", "Mrs"), ("was", "were"), ("is", "are"), ("I", "you"),
         ("my", "your"), ("this", "these"), ("had", "has"), ("man", "woman"), ("brother", "sister"),
         ("father", "mother"), ("a", "the"))
"""Words of the same kind that call for other words behind them."""

_BEFORE, _AFTER = 12, 3  # tokens of a prompt around its word
_TRIES = 8  # candidates for a pair that is wanted, at most


class PromptPair(NamedTuple):
    """Two prompts of token ids that differ at `place` alone. best: the next token that the model likes best after
    either; they differ."""

    clean: list[int]
    corrupted: list[int]
    place: int
    best: tuple[int, int]

    @property
    def positions(self) -> range:
        """Where values can differ."""
        return range(self.place, len(self.clean))


def swapped_tokens(text: Text, swaps: Sequence[tuple[str, str]] = SWAPS) -> dict[int, int]:
    """What stands for what, both ways; words of several tokens are left out."""
    found: dict[int, int] = {}
    for words in swaps:
        ids = [text.encode(f" {word}") for word in words]
        if all(len(each) == 1 for each in ids):
            (one,), (other,) = ids
            found.setdefault(one, other)
            found.setdefault(other, one)
    return found


def find_pairs(ids: Sequence[int], swaps: dict[int, int], count: int, best_next: Callable[[Sequence[int]], int]
               ) -> list[PromptPair]:
    """At most `count` pairs from a text, spread over it. best_next: the model's best next token after a prompt."""
    places = [place for place in range(_BEFORE, len(ids) - _AFTER) if ids[place] in swaps]
    order = np.linspace(0, len(places) - 1, min(len(places), _TRIES * count)).astype(int)
    found: list[PromptPair] = []
    with tqdm(total=count, desc="pairs", unit="pair", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        for pair in _pairs(ids, swaps, [places[turn] for turn in _spread(order)], best_next):
            found.append(pair)
            bar.update()
            if len(found) == count:
                break
    return found


def _pairs(ids: Sequence[int], swaps: dict[int, int], places: Sequence[int], best_next: Callable[[Sequence[int]], int]
           ) -> Iterator[PromptPair]:
    for place in places:
        clean = list(ids[place - _BEFORE:place + 1 + _AFTER])
        corrupted = [*clean[:_BEFORE], swaps[clean[_BEFORE]], *clean[_BEFORE + 1:]]
        best = best_next(clean), best_next(corrupted)
        if best[0] != best[1]:
            yield PromptPair(clean, corrupted, _BEFORE, best)


def _spread(order: np.ndarray) -> Iterator[int]:
    """Every eighth candidate, then those beside them: a first few are spread over the text as well as all."""
    for start in range(_TRIES):
        yield from order[start::_TRIES].tolist()
