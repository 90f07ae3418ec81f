"""From a float model to machine integers: every decision of a conversion, in one place."""

from __future__ import annotations

import math

from models.checkpoint import RESIDUAL_LIMIT

__all__ = ["residual_fraction_bits"]

_CEILING_BITS = 27


def residual_fraction_bits(largest: float) -> int:
    """Fraction bits r of the int32 residual of a model whose residual was seen to reach `largest` (> 0).

    r = 27 - ceil(log2 largest), within ±RESIDUAL_LIMIT: the largest value seen takes 27 of the 31 bits, so
    others may exceed it sixteenfold before they saturate, and a median 10**4 times smaller keeps 13 bits.
    """
    bits = _CEILING_BITS - math.ceil(math.log2(largest))
    return max(-RESIDUAL_LIMIT, min(RESIDUAL_LIMIT, bits))
