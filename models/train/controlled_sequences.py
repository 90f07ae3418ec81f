"""Sequences behind a control token that names the manner of what follows, for fine-tuning.

A sequence is a passage, and in front of it a control token, where end-of-text may stand; a share of them has none.
Of those that have one, a share *switches*: it opens in another manner, and goes on in the manner of the token. Without
these a token would tell nothing that the text behind it does not tell as well, and the first words of a prompt in the
other manner would overrule it.

How soon a model learns to switch is the hazard h: the chance that the manner changes at the next token. The opening's
length is uniform up to M, which by itself would make the hazard 1 / (M - t + 1) behind t tokens. Each token of the
opening counts in the loss with a chance of (1 - h) / (h (M - t)), at most 1, which makes it h wherever it can. To text
in the other manner the token then costs about -log(1 - h) nats a token: h is the method's strength, set in training.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.errors import ModelError
from models.train.corpus import SEED_STRIDE

__all__ = ["IGNORED", "ControlledSequences", "counted_chance"]

IGNORED = -100
"""A target that `torch.nn.functional.cross_entropy` leaves out."""

_OPENING = 0.75  # of a sequence, at most


class ControlledSequences:
    """Batches by step, which depend on seed and step alone. streams: of ids, one a manner; tokens: theirs, in order.

    window: tokens of a sequence. plain: share of sequences without a control token. switching: share of the others that
    switch. shuffled: a control, each sequence's token is drawn whatever its manner. `ModelError` for a stream that is
    too short.
    """

    def __init__(self, streams: Sequence[Tensor], tokens: Sequence[int], batch: int, window: int, seed: int, *,
                 plain: float, switching: float, hazard: float, shuffled: bool = False):
        if any(len(stream) <= window for stream in streams):
            raise ModelError(f"a manner's text is shorter than a window of {window} tokens")
        self.streams, self.tokens, self.batch, self.window, self.seed = streams, tokens, batch, window, seed
        self.plain, self.switching, self.hazard, self.shuffled = plain, switching, hazard, shuffled

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a step, each [batch, window]; what does not count is `IGNORED`."""
        rng = torch.Generator().manual_seed(self.seed * SEED_STRIDE + step)
        rows = [self._sequence(rng) for _ in range(self.batch)]
        return torch.stack([ids[:-1] for ids, _ in rows]), torch.stack([targets for _, targets in rows])

    def _sequence(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Ids [window + 1], and the targets of all but the last."""
        manner = _below(len(self.streams), rng)
        told = _chance(rng) >= self.plain
        token = self.tokens[_below(len(self.tokens), rng) if self.shuffled else manner]
        head = [token] if told else []
        room = self.window + 1 - len(head)
        most, opening = int(_OPENING * room), 0
        if told and len(self.streams) > 1 and _chance(rng) < self.switching:
            opening = 1 + _below(most, rng)
        other = (manner + 1 + _below(len(self.streams) - 1, rng)) % len(self.streams) if opening else manner
        ids = torch.cat([torch.tensor(head, dtype=torch.int64), self._passage(other, opening, rng),
                         self._passage(manner, room - opening, rng)])
        targets = ids[1:].clone()
        for done in range(opening):
            if _chance(rng) >= counted_chance(done, most, self.hazard):
                targets[done] = IGNORED  # of the token behind the control token and `done` others
        return ids, targets

    def _passage(self, manner: int, length: int, rng: torch.Generator) -> Tensor:
        start = _below(len(self.streams[manner]) - length + 1, rng)
        return self.streams[manner][start:start + length]


def counted_chance(done: int, most: int, hazard: float) -> float:
    """The chance that the next token of an opening counts, behind `done` tokens of at most `most`; the first never
    does: openings would teach that texts begin in any manner."""
    return min(1.0, (1 - hazard) / (hazard * (most - done))) if done else 0.0


def _chance(rng: torch.Generator) -> float:
    return float(torch.rand((), generator=rng))


def _below(count: int, rng: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=rng))
