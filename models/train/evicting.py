"""The network whose rows leave the cache: it sees what a device sees that follows a schedule (`models.eviction`)."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.eviction import BEACON, Schedule
from models.train.network import BitNet

__all__ = ["IGNORED", "EvictingBitNet", "scheduled"]

IGNORED = -100
"""A target that counts for nothing, as `cross_entropy` has it."""


class EvictingBitNet(BitNet):
    """A `BitNet` over `scheduled` texts in place of plain ids."""

    def forward_products(self, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As `BitNet`, of int64 [batch, 3, rows]: ids, positions, and the last row that sees each."""
        ids, positions, lasts = inputs.unbind(dim=1)
        row = torch.arange(ids.shape[1])
        seen = (row[:, None] >= row) & (row[:, None] <= lasts[:, None, :])
        return self.forward_seen(ids, self.cos[positions][:, None], self.sin[positions][:, None], seen[:, None])


def scheduled(texts: Sequence[tuple[Tensor, Tensor, Schedule]], beacon: int) -> tuple[Tensor, Tensor]:
    """A batch of (ids, targets, schedule): inputs [batch, 3, rows] of an `EvictingBitNet`, and its targets.

    ids, targets: int64 [tokens]. Beacons have no target; shorter texts end in rows that nobody sees.
    """
    longest = max(len(schedule.tokens) for _, _, schedule in texts)
    inputs, wanted = [], []
    for ids, targets, schedule in texts:
        tokens = torch.from_numpy(schedule.tokens)
        of_beacons = tokens == BEACON
        rows = torch.stack([ids[tokens].masked_fill(of_beacons, beacon), torch.from_numpy(schedule.positions),
                            torch.from_numpy(schedule.lasts)])
        free = longest - len(tokens)
        rows = F.pad(rows, (0, free))
        rows[2, len(tokens):] = torch.from_numpy(np.arange(len(tokens), longest))  # each sees itself
        inputs.append(rows)
        wanted.append(F.pad(targets[tokens].masked_fill(of_beacons, IGNORED), (0, free), value=IGNORED))
    return torch.stack(inputs), torch.stack(wanted)
