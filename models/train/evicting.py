"""The network whose rows leave the cache: it sees what a device sees that follows a schedule (`models.eviction`)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.eviction import BEACON, Schedule
from models.train.guide import GUIDES, NOWHERE, guide_loss, with_loss
from models.train.network import BitNet
from models.train.recipe import Shape

__all__ = ["IGNORED", "EvictingBitNet", "ScheduledText", "scheduled", "scheduled_logits"]

IGNORED = -100
"""A target that counts for nothing, as `cross_entropy` has it."""


class ScheduledText(NamedTuple):
    """ids, targets, answers: int64 [tokens]. answers: for a token that came before, the token behind that one, which is
    what a head should look for; else NOWHERE."""

    ids: Tensor
    targets: Tensor
    answers: Tensor
    schedule: Schedule


class EvictingBitNet(BitNet):
    """A `BitNet` over `scheduled` texts in place of plain ids. guided: what guides of attention weigh in the loss."""

    def __init__(self, shape: Shape, dropout: float = 0.0, dtype: torch.dtype = torch.float32, guided: float = 0.0):
        super().__init__(shape, dropout, dtype)
        self.guided = guided

    def forward_products(self, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As `BitNet`, of int64 [batch, 5, rows]: ids, positions, the last row that sees each, and for each the row of
        the token before and that of its answer, or NOWHERE."""
        ids, positions, lasts, before, answers = inputs.unbind(dim=1)
        row = torch.arange(ids.shape[1])
        seen = ((row[:, None] >= row) & (row[:, None] <= lasts[:, None, :]))[:, None]
        guides, given, hooks = GUIDES if self.guided and self.training else (), {}, []
        for layer in {guide.layer for guide in guides}:
            def keep(_: object, arguments: tuple, layer: int = layer) -> None:
                given[layer] = arguments
            hooks.append(self.model.layers[layer].self_attn.register_forward_pre_hook(keep))
        logits, products = self.forward_seen(ids, self.cos[positions][:, None], self.sin[positions][:, None], seen)
        for hook in hooks:
            hook.remove()
        targets = {"before": before, "answer": answers}
        for guide in guides:
            loss = guide_loss(self.model.layers[guide.layer].self_attn, given[guide.layer], guide.head,
                              targets[guide.target])
            logits = with_loss(logits, self.guided * loss)
        return logits, products


def scheduled(texts: Sequence[ScheduledText], beacon: int) -> tuple[Tensor, Tensor]:
    """A batch: inputs [batch, 5, rows] of an `EvictingBitNet`, and its targets.

    Beacons have no target; shorter texts end in rows that nobody sees. A row whose answer has left is told the beacon
    that stands for it, if there is one.
    """
    longest = max(len(text.schedule.tokens) for text in texts)
    inputs, wanted = [], []
    for ids, targets, answers, schedule in texts:
        tokens = torch.from_numpy(schedule.tokens)
        of_beacons = tokens == BEACON
        rows = torch.stack([ids[tokens].masked_fill(of_beacons, beacon), torch.from_numpy(schedule.positions),
                            torch.from_numpy(schedule.lasts), *told_rows(answers, schedule)])
        free = longest - len(tokens)
        rows = F.pad(rows, (0, free), value=0)
        rows[2, len(tokens):] = torch.arange(len(tokens), longest)  # each sees itself
        rows[3:, len(tokens):] = NOWHERE
        inputs.append(rows)
        wanted.append(F.pad(targets[tokens].masked_fill(of_beacons, IGNORED), (0, free), value=IGNORED))
    return torch.stack(inputs), torch.stack(wanted)


def told_rows(answers: Tensor, schedule: Schedule) -> tuple[Tensor, Tensor]:
    """For each row the row of the token before it and that of its answer, int64 [rows], or NOWHERE where it is gone."""
    tokens, lasts = schedule.tokens, schedule.lasts
    number = np.arange(len(tokens))
    is_beacon = tokens == BEACON
    row_of = number[~is_beacon]  # of each token
    beacon_after = np.searchsorted(number[is_beacon], row_of)  # of each token: which beacon stands for it
    beacon_rows = np.append(number[is_beacon], NOWHERE)
    beacon_of = beacon_rows[np.minimum(beacon_after, len(beacon_rows) - 1)]

    def visible(token: np.ndarray) -> np.ndarray:
        """Of each row the row of a token, or its beacon's, as far as it is seen."""
        own, other = row_of[token], beacon_of[token]
        held = (other >= 0) & (other < number)
        fallback = np.where(held, other, NOWHERE)
        return np.where((token >= 0) & (lasts[own] >= number), own, np.where(token >= 0, fallback, NOWHERE))

    before = np.where(is_beacon, NOWHERE, tokens - 1)
    answer = np.where(is_beacon, NOWHERE, answers.numpy()[tokens])
    return torch.from_numpy(visible(before)), torch.from_numpy(visible(answer))


@torch.no_grad()
def scheduled_logits(network: EvictingBitNet, ids: Sequence[int], schedule: Schedule, beacon: int) -> np.ndarray:
    """Logits float32 [tokens, vocab] after each token of one text."""
    text = torch.tensor(ids)
    inputs, _ = scheduled([ScheduledText(text, text, torch.full_like(text, NOWHERE), schedule)], beacon)
    return network(inputs)[0, torch.from_numpy(schedule.tokens) != BEACON].numpy()
