"""Which of two manners a text is in: a classifier over words, and what it says of broken and of repeated text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import log

import numpy as np

__all__ = ["Judge", "repeated_share", "words_of"]

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


class Judge:
    """Multinomial naive Bayes over lower-case words, add-one smoothing, equal priors.

    Scores are log-odds of the wanted manner over the other. Words that neither text has count as zero, so that broken
    words are evidence of nothing.
    """

    def __init__(self, toward: str, away: str):
        counts = Counter(words_of(toward)), Counter(words_of(away))
        vocabulary = set(counts[0]) | set(counts[1])
        totals = [sum(count.values()) + len(vocabulary) for count in counts]
        self._weights = {word: log((counts[0][word] + 1) / totals[0]) - log((counts[1][word] + 1) / totals[1])
                         for word in vocabulary}

    def log_odds_per_word(self, text: str) -> float:
        """Mean over the text's words, in nats; 0 for a text without words."""
        words = words_of(text)
        return sum(self._weights.get(word, 0.0) for word in words) / len(words) if words else 0.0

    def broken_share(self, text: str) -> float:
        """Share of a text's words that neither of the judge's texts has; the last word, perhaps cut off, is left out.
        """
        words = words_of(text)[:-1]
        return sum(word not in self._weights for word in words) / len(words) if words else 0.0

    def accuracy(self, toward: str, away: str, *, words: int = 30) -> tuple[float, float]:
        """Shares of consecutive chunks of `words` words of either manner that go to their own."""
        right = [[sign * self.log_odds_per_word(chunk) > 0 for chunk in _chunks(text, words)]
                 for text, sign in ((toward, 1), (away, -1))]
        return float(np.mean(right[0])), float(np.mean(right[1]))


def repeated_share(text: str) -> float:
    """Share of a text's runs of three words that stand in it before."""
    words = words_of(text)
    runs = list(zip(words, words[1:], words[2:], strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return _WORD.findall(text.lower())


def _chunks(text: str, size: int) -> Sequence[str]:
    words = words_of(text)
    return [" ".join(words[i:i + size]) for i in range(0, len(words) - size + 1, size)]
