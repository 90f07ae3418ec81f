"""The head: 16-bit activations times int8 rows, or ternary ones with scales by group; integer logits, top k.

docs/numerics.md §10 and §15.
"""

from __future__ import annotations

import numpy as np

from models.golden.rounding import round_shift
from models.golden.scalar import Scalar, mul, scale_round
from models.golden.ternary_matmul import grouped_sums

__all__ = ["GROUPED_SHIFT", "HEAD_LEVELS", "LOGIT_FRACTION", "grouped_logits", "logits", "scaled_grouped", "top_k"]

HEAD_LEVELS = 32767
LOGIT_FRACTION = 16

GROUPED_SHIFT = 8
"""By which sums over groups, of up to 46 bits, are rounded before they meet a scale: 39 bits, for 65,535 channels."""


def logits(q: np.ndarray, scale: Scalar, rows: np.ndarray, row_scales: Scalar) -> np.ndarray:
    """q: int [tokens, dim] within ±32767, scale [tokens]; rows: int8 [vocab, dim], row_scales [vocab].

    Returns int64 [tokens, vocab] in 32 bits, LOGIT_FRACTION fraction bits.
    """
    sums = (np.asarray(q, np.float64) @ rows.astype(np.float64).T).astype(np.int64)  # exact below 2**53
    return scale_round(sums, mul(scale[..., None], row_scales), fraction=LOGIT_FRACTION)


def grouped_logits(q: np.ndarray, scale: Scalar, trits: np.ndarray, mantissas: np.ndarray,
                   row_scales: Scalar) -> np.ndarray:
    """As `logits`, of trits, int8 [vocab, dim], with mantissas, int16 [vocab, groups]."""
    return scaled_grouped(grouped_sums(q, trits, mantissas), mul(scale[..., None], row_scales))


def scaled_grouped(sums: np.ndarray, scale: Scalar) -> np.ndarray:
    """Logits of sums over groups, int64, in units of `scale`."""
    return scale_round(round_shift(sums, GROUPED_SHIFT), scale, fraction=LOGIT_FRACTION + GROUPED_SHIFT)


def top_k(values: np.ndarray, k: int, ids: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The k largest of one token's logits [n], largest first, lower id first among equals: (ids, logits).

    ids: of the logits' rows, in any order (None: their places).
    """
    ids = np.arange(values.size) if ids is None else ids
    order = np.lexsort((ids, -values))[:k]
    return ids[order], values[order]
