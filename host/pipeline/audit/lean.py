"""How far a model's predictions lean toward one of two manners: a number that each row of logits has.

The lean of a row is the expectation, under the model's probabilities, of how much likelier the next token is in one
text than in the other: log p(token | toward) - log p(token | away), from counts with one added to each. It needs no
continuation and no judge, and is smooth in the logits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.golden.head import LOGIT_FRACTION

__all__ = ["Lean"]


class Lean:
    """From token ids of two texts and the size of the vocabulary."""

    def __init__(self, toward: Sequence[int], away: Sequence[int], vocab: int):
        counts = [np.bincount(np.asarray(ids, np.int64), minlength=vocab) + 1.0 for ids in (toward, away)]
        logs = [np.log(count / count.sum()) for count in counts]
        self.weights: np.ndarray = logs[0] - logs[1]

    def of(self, logits: np.ndarray) -> np.ndarray:
        """Nats, float64 [rows], of integer logits [rows, vocab]; above 0 where a row leans toward the first text."""
        values = logits / float(1 << LOGIT_FRACTION)
        odds = np.exp(values - values.max(axis=1, keepdims=True))
        return odds @ self.weights / odds.sum(axis=1)
