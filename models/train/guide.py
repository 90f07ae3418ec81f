"""A guide for attention while recall is learnt: one head is told where the row before lies, one where the answer lies.

To recall, a model needs a head that marks each row by the one before, and behind it a head that finds the mark of the
token at hand: an induction head ("In-context Learning and Induction Heads"). Plain training finds the pair late, or in
a model as small as the shipped one never. The guide adds to the loss -log of the weight that the head gives to the row
that it should look at. It changes nothing of the network, and is gone when training ends.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.train.network import Attention, rotate
from models.train.quantisers import quantise_activations

__all__ = ["GUIDES", "Guide", "guide_loss", "with_loss"]

NOWHERE = -1
"""A row that is told nothing."""


class Guide(NamedTuple):
    """A head, and which of the told rows it should look at: `before` or `answer`."""

    layer: int
    head: int
    target: str


GUIDES = (Guide(1, 0, "before"), Guide(3, 0, "answer"), Guide(4, 2, "answer"))
"""For six layers of four heads; the two that find answers read different keys."""


def guide_loss(attention: Attention, given: Sequence[Tensor], head: int, target: Tensor) -> Tensor:
    """Mean -log of the weight that a head gives to the rows `target`, int64 [batch, rows], where they are not NOWHERE.

    given: what the attention's `forward` got.
    """
    x, cos, sin, dtype, seen = given
    shape, quantised = attention.shape, quantise_activations(x)
    group = shape.heads // shape.kv_heads

    def one(projection: torch.nn.Module, which: int) -> Tensor:
        y = projection(*quantised, dtype).unflatten(-1, (-1, shape.head_dim))[:, :, which, None]
        return rotate(y.transpose(1, 2), cos, sin)

    scores = one(attention.q_proj, head) @ one(attention.k_proj, head // group).mT / shape.head_dim**0.5
    scores = scores.masked_fill(~seen, float("-inf"))[:, 0]
    told = target != NOWHERE
    total = torch.nn.functional.cross_entropy(scores[told], target[told], reduction="sum")
    return total / told.sum().clamp(min=1)


class _AddedLoss(torch.autograd.Function):
    """Passes a tensor on; backwards, a further loss gets its gradient of one."""

    @staticmethod
    def forward(ctx: object, x: Tensor, loss: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return gradient, torch.ones(())


def with_loss(x: Tensor, loss: Tensor) -> Tensor:
    """x, so that whatever is made of it trains on this loss, too."""
    return _AddedLoss.apply(x, loss)
