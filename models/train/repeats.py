"""Training texts in which a passage comes a second time, so that there is something to recall from afar."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from models.errors import ModelError
from models.eviction import Schedule
from models.train.corpus import SEED_STRIDE
from models.train.evicting import IGNORED, ScheduledText, scheduled
from models.train.guide import NOWHERE

__all__ = ["RepeatSampler", "repeated"]

SHARE = 0.75
"""Of texts that repeat themselves; the others are as they were written."""
SHUFFLED = 0.67
"""Of those, the ones whose words are drawn at random, so that memory alone foretells them the second time."""
LEAST, MOST = 8, 64  # tokens of a passage


def repeated(window: Tensor, stream: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """ids, targets and answers (`ScheduledText`) of a window [n + 1] whose second half is passages of the first, from
    any place.

    Words drawn at random (from the stream) have no target the first time, nor has the first word of a passage: nothing
    foretells them.
    """
    ids, half = window.clone(), len(window) // 2
    answers = torch.full_like(ids, NOWHERE)
    ignored = torch.zeros(len(window), dtype=torch.bool)
    if rng.random() < SHUFFLED:
        ids[1:half] = stream[torch.from_numpy(rng.integers(0, len(stream), half - 1))]
        ignored[1:half] = True
    place = half
    while place < len(ids):
        length = min(int(rng.integers(LEAST, min(MOST, half - 1) + 1)), len(ids) - place)
        start = int(rng.integers(1, half - length + 1))
        ids[place:place + length] = ids[start:start + length]
        answers[place:place + length] = torch.arange(start + 1, start + length + 1)
        ignored[place] = True
        place += length
    return ids[:-1], ids[1:].masked_fill(ignored[1:], IGNORED), answers[:-1]


class RepeatSampler:
    """Batches of `scheduled` texts of `tokens` tokens, an end-of-text token first; a step's depends on seed and step.

    schedule: of a text, by a generator of random numbers. beacon: the id of beacons.
    """

    def __init__(self, streams: Sequence[Tensor], weights: Sequence[float], batch: int, tokens: int, seed: int, *,
                 schedule: Callable[[np.random.Generator], Schedule], beacon: int):
        if any(len(stream) <= tokens + 1 for stream in streams):
            raise ModelError(f"a stream is shorter than {tokens} tokens")
        self.streams, self.weights = streams, np.array(weights) / np.sum(weights)
        self.batch, self.tokens, self.seed = batch, tokens, seed
        self.schedule, self.beacon = schedule, beacon

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs [batch, 3, rows] and targets [batch, rows] of a step."""
        rng = np.random.default_rng(self.seed * SEED_STRIDE + step)
        texts = []
        for which in rng.choice(len(self.streams), self.batch, p=self.weights):
            stream = self.streams[which]
            start = int(rng.integers(len(stream) - self.tokens))
            window = stream[start:start + self.tokens + 1].clone()
            window[0] = 0
            if rng.random() < SHARE:
                parts = repeated(window, stream, rng)
            else:
                parts = window[:-1], window[1:], torch.full_like(window[1:], NOWHERE)
            texts.append(ScheduledText(*parts, self.schedule(rng)))
        return scheduled(texts, self.beacon)
