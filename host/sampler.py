"""Choosing the next token from the device's top k. The head is exact; sampling is over those k."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.runtime import Top
from models.errors import ModelError

__all__ = ["Sampler"]


@dataclass
class Sampler:
    """temperature 0 is greedy. top_k 0: all that the device returns; top_p 1: no nucleus."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ModelError(f"--temperature must not be negative, got {self.temperature}")
        if self.top_k < 0:
            raise ModelError(f"--top-k must not be negative, got {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise ModelError(f"--top-p must be in (0, 1], got {self.top_p}")
        self._random = np.random.default_rng(self.seed)

    def __call__(self, top: Top) -> int:
        """The chosen id."""
        if self.temperature == 0:
            return int(top.ids[0])
        ids, values = top.ids, top.values / self.temperature
        if self.top_k:
            ids, values = ids[:self.top_k], values[:self.top_k]
        weights = np.exp(values - values[0])
        weights /= weights.sum()
        kept = int(np.searchsorted(np.cumsum(weights), self.top_p)) + 1
        weights = weights[:kept] / weights[:kept].sum()
        return int(self._random.choice(ids[:kept], p=weights))
