"""Two manners of writing, Jane Austen's and the King James Bible's: their texts, and a classifier between them.

Held out, as the shipped model's training does: Northanger Abbey, Romans and 1 Timothy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import log
from pathlib import Path

import numpy as np

from models.errors import OptionError
from models.text_file import read_text_file

__all__ = ["AUSTEN", "SCRIPTURE", "MannerClassifier", "body", "read_manners", "sentences"]

AUSTEN, SCRIPTURE = "austen", "scripture"
HELD_OUT_NOVEL, HELD_OUT_BOOKS = "austen_northanger_abbey", ("Romans", "1 Timothy")

_CHAPTER = re.compile(r"^((?:[1-3] )?[A-Z][A-Za-z]*(?: [A-Za-z]+)*) \d+\n\n", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?:]\s)[A-Z]")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


def read_manners(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Training text and held-out text of each manner, chapter headings of the Bible left out."""
    novels = {path.stem: read_text_file(path) for path in sorted(folder.glob("austen_*.txt"))}
    bible = read_text_file(folder / "kjv.txt")
    if HELD_OUT_NOVEL not in novels or len(novels) < 2:
        raise OptionError(f"{folder} lacks {HELD_OUT_NOVEL}.txt or the other novels")
    parts = _CHAPTER.split(bible)[1:]
    chapters = list(zip(parts[::2], parts[1::2], strict=True))
    held_out = {AUSTEN: novels.pop(HELD_OUT_NOVEL),
                SCRIPTURE: "".join(text for book, text in chapters if book in HELD_OUT_BOOKS)}
    training = {AUSTEN: "\n".join(novels.values()),
                SCRIPTURE: "".join(text for book, text in chapters if book not in HELD_OUT_BOOKS)}
    return training, held_out


def body(text: str) -> str:
    """A text without a twentieth at either end: front matter, and an editor's remarks behind the novel."""
    margin = len(text) // 20
    return text[margin:len(text) - margin]


def sentences(text: str, count: int, *, characters: int = 240) -> list[str]:
    """`count` passages that open with a sentence, evenly spread over the text."""
    starts = [m.start() for m in _SENTENCE.finditer(text, 0, len(text) - characters)]
    chosen = (starts[i] for i in np.linspace(0, len(starts) - 1, count).astype(int))
    return [text[start:start + characters] for start in chosen]


class MannerClassifier:
    """Multinomial naive Bayes over lower-case words, add-one smoothing, equal priors.

    Scores are log-odds of scripture over Austen. Words that training never saw count as zero, so that broken
    words are evidence of nothing.
    """

    def __init__(self, austen: str, scripture: str):
        counts = Counter(_words(austen)), Counter(_words(scripture))
        vocabulary = set(counts[0]) | set(counts[1])
        totals = [sum(count.values()) + len(vocabulary) for count in counts]
        self._weights = {word: log((counts[1][word] + 1) / totals[1]) - log((counts[0][word] + 1) / totals[0])
                         for word in vocabulary}

    def log_odds_per_word(self, text: str) -> float:
        """Mean over the text's words, in nats; 0 for a text without words."""
        words = _words(text)
        return sum(self._weights.get(word, 0.0) for word in words) / len(words) if words else 0.0

    def accuracy(self, austen: str, scripture: str, *, words: int = 30) -> dict[str, float]:
        """Share of consecutive chunks of `words` words that go to their own manner."""
        return {AUSTEN: float(np.mean([self.log_odds_per_word(chunk) < 0 for chunk in _chunks(austen, words)])),
                SCRIPTURE: float(np.mean([self.log_odds_per_word(chunk) > 0 for chunk in _chunks(scripture, words)]))}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _chunks(text: str, size: int) -> Sequence[str]:
    words = _words(text)
    return [" ".join(words[i:i + size]) for i in range(0, len(words) - size + 1, size)]
