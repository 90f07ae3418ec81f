"""The head: 16-bit activations times int8 rows, integer logits, top k.

docs/numerics.md §10.
"""

from __future__ import annotations

import numpy as np

from models.golden.scalar import Scalar, mul, scale_round

__all__ = ["HEAD_LEVELS", "LOGIT_FRACTION", "logits", "top_k"]

HEAD_LEVELS = 32767
LOGIT_FRACTION = 16


def logits(q: np.ndarray, scale: Scalar, rows: np.ndarray, row_scales: Scalar) -> np.ndarray:
    """q: int [tokens, dim] within ±32767, scale [tokens]; rows: int8 [vocab, dim], row_scales [vocab].

    Returns int64 [tokens, vocab] in 32 bits, LOGIT_FRACTION fraction bits.
    """
    sums = (np.asarray(q, np.float64) @ rows.astype(np.float64).T).astype(np.int64)  # exact below 2**53
    return scale_round(sums, mul(scale[..., None], row_scales), fraction=LOGIT_FRACTION)


def top_k(values: np.ndarray, k: int, ids: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The k largest of one token's logits [n], largest first, lower id first among equals: (ids, logits).

    ids: of the logits' rows, in any order (None: their places).
    """
    ids = np.arange(values.size) if ids is None else ids
    order = np.lexsort((ids, -values))[:k]
    return ids[order], values[order]
