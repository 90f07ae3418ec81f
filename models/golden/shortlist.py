"""The shortlist: the vocabulary rows whose exact logits are taken, chosen by a ternary copy of the head.

docs/numerics.md §10; the copy: `models.ternary_head`.
"""

from __future__ import annotations

import numpy as np

from models.golden.ternary_matmul import ternary_matmul

__all__ = ["SCORE_BITS", "shortlist", "shortlist_scores"]

SCORE_BITS = 40


def shortlist_scores(q: np.ndarray, trits: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """q: int [tokens, dim] within ±127; trits: int8 [vocab, dim]; scales: int16 [vocab].

    Returns int64 [tokens, vocab] in SCORE_BITS bits, comparable among the rows of a token.
    """
    return ternary_matmul(q, trits) * scales.astype(np.int64)


def shortlist(q: np.ndarray, trits: np.ndarray, scales: np.ndarray, k: int) -> np.ndarray:
    """Ids of the k largest scores, largest first, lower id first among equals: int64 [tokens, min(k, vocab)]."""
    return np.argsort(-shortlist_scores(q, trits, scales), axis=1, kind="stable")[:, :k]
