"""What is left of a text behind rows that left: recall of a passage from afar, and loss on text as it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from host.scoring import float_negative_log_likelihood
from models.errors import OptionError

__all__ = ["PASSAGE", "Draw", "Kept", "draw_texts", "measure_kept"]

PASSAGE = 16  # tokens
Logits = Callable[[Sequence[int]], np.ndarray]
"""Of a text, after each token: float [tokens, vocab]."""


class Draw(NamedTuple):
    """plain: a text as it is written. repeated: by distance, the text with a passage of drawn words at its end that
    stands once before, so many tokens earlier. Same length, first token and filler."""

    plain: list[int]
    repeated: dict[int, list[int]]


class Kept(NamedTuple):
    """nll: nats a token of the second half of each plain text, float [draws]. recall: by distance, the share of the
    passage's tokens, but its first, that are the likeliest the second time, float [draws]."""

    nll: np.ndarray
    recall: dict[int, np.ndarray]


def draw_texts(stream: Sequence[int], tokens: int, distances: Sequence[int], draws: int, *, first: int,
               seed: int = 0) -> list[Draw]:
    """Texts of `tokens` tokens, `first` and then what stands at evenly spread places of the stream."""
    if len(stream) < tokens:
        raise OptionError(f"the text has {len(stream)} tokens, fewer than {tokens}")
    if not all(PASSAGE <= distance < tokens - PASSAGE for distance in distances):
        raise OptionError(f"expected distances of {PASSAGE} to {tokens - PASSAGE - 1} in texts of {tokens} tokens")
    rng, found = np.random.default_rng(seed), []
    for start in np.linspace(0, len(stream) - tokens, draws).astype(int):
        plain = np.array([first, *stream[start:start + tokens - 1]])
        passage, repeated = np.array(stream)[rng.integers(0, len(stream), PASSAGE)], {}
        for distance in distances:
            ids = plain.copy()
            for at in (tokens - PASSAGE, tokens - PASSAGE - distance):
                ids[at:at + PASSAGE] = passage
            repeated[distance] = ids.tolist()
        found.append(Draw(plain.tolist(), repeated))
    return found


def measure_kept(logits: Logits, draws: Sequence[Draw], on_text: Callable[[], object] = lambda: None) -> Kept:
    """Recall and loss of what gives these logits."""
    nll, recall = [], {distance: [] for distance in draws[0].repeated}
    for draw in draws:
        ids, half = np.array(draw.plain), len(draw.plain) // 2
        nll.append(float_negative_log_likelihood(logits(draw.plain)[half:-1], ids[half + 1:]) / (len(ids) - 1 - half))
        on_text()
        for distance, text in draw.repeated.items():
            best = logits(text)[-PASSAGE:-1].argmax(axis=1)
            recall[distance].append(np.mean(best == np.array(text[1 - PASSAGE:])))
            on_text()
    return Kept(np.array(nll), {distance: np.array(shares) for distance, shares in recall.items()})
