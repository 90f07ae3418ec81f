"""Windows of text into which short spans are copied, forwards or backwards: the data rewrite of Bi-Induct.

Source: "Induction Signatures Are Not Enough", whose curriculum interleaves copy snippets with a natural stream. A
copied span overwrites what followed it, so that each arm sees equally many tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["BACKWARD", "FORWARD", "PLAIN", "CopiedSnippets"]

PLAIN, FORWARD, BACKWARD = "plain", "forward", "backward"

Sampler = Callable[[int], "tuple[Tensor, Tensor]"]
"""Of a step: inputs and targets, each [batch, context], targets one token ahead."""


class CopiedSnippets:
    """Another sampler's windows, some with a copy: in a share of the rows a span of `least` to `most` tokens at a
    random place is followed by itself (`FORWARD`) or by its mirror image (`BACKWARD`). `PLAIN` leaves all as they are.

    What a step gives depends on seed and step alone; places and lengths are the same for all directions.
    `ValueError` for a span that does not fit a window twice.
    """

    def __init__(self, sampler: Sampler, direction: str, *, share: float, least: int, most: int, context: int,
                 seed: int):
        if not 1 <= least <= most <= (context + 1) // 2:
            raise ValueError(f"spans of {least} to {most} tokens do not fit twice into windows of {context}")
        self._sampler, self._direction, self._share = sampler, direction, share
        self._least, self._most, self._seed = least, most, seed

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a step, each [batch, context]."""
        import torch  # late: pages and tests of the words need none

        inputs, targets = self._sampler(step)
        if self._direction == PLAIN:
            return inputs, targets
        windows = torch.cat([inputs, targets[:, -1:]], dim=1)
        draw = torch.Generator().manual_seed((self._seed + 1) * 7_919_317 + step)  # not the sampler's own
        for row in windows:
            copied, length, place = torch.rand(3, generator=draw).tolist()
            if copied >= self._share:
                continue
            span = self._least + int(length * (self._most - self._least + 1))
            start = int(place * (len(row) - 2 * span + 1))
            copy = row[start:start + span].clone()
            row[start + span:start + 2 * span] = copy if self._direction == FORWARD else copy.flip(0)
        return windows[:, :-1].contiguous(), windows[:, 1:].contiguous()
