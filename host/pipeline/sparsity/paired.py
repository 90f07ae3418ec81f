"""The difference of two masks' losses on the same tokens, with a standard error that allows for tokens that depend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.errors import OptionError

__all__ = ["BLOCK", "Difference", "paired_difference"]

BLOCK = 32  # tokens: neighbours share their context


class Difference(NamedTuple):
    """mean: of first - second, nats a token. error: its standard error over `blocks` blocks of tokens."""

    mean: float
    error: float
    blocks: int


def paired_difference(first: Sequence[float], second: Sequence[float], block: int = BLOCK) -> Difference:
    """The mean difference of losses, token by token; tokens behind the last whole block are left out.

    `OptionError` where there are no two blocks.
    """
    blocks = len(first) // block
    if blocks < 2:
        raise OptionError(f"{len(first)} losses make no two blocks of {block}")
    means = np.subtract(first, second)[:blocks * block].reshape(blocks, block).mean(axis=1)
    return Difference(float(means.mean()), float(means.std(ddof=1)) / math.sqrt(blocks), blocks)
