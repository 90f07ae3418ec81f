"""The residual stream: int32 with a fixed power-of-two scale per model.

docs/numerics.md §9.
"""

from __future__ import annotations

import numpy as np

from models.golden.closed_loop import ClosedLoop, closed_loop
from models.golden.rounding import round_shift, saturate
from models.golden.scalar import Scalar, constant, scale_round
from models.golden.tap import Tap, tap

__all__ = ["RESIDUAL_BITS", "embed", "residual_add"]

RESIDUAL_BITS = 32


def embed(mantissas: np.ndarray, exponents: np.ndarray, fraction_bits: int) -> np.ndarray:
    """Embedding rows (int16 [rows, dim], value m * 2**-exponent, exponents [rows]) as residual integers."""
    by = fraction_bits - np.asarray(exponents, np.int64)[:, None]
    m = np.asarray(mantissas, np.int64)
    left = m << np.clip(by, 0, 40)
    return saturate(np.where(by >= 0, left, round_shift(m, np.maximum(-by, 0))), RESIDUAL_BITS)


def residual_add(h: np.ndarray, sums: np.ndarray, scale: Scalar, fraction_bits: int,
                 tap_parameters: Tap | None = None) -> tuple[np.ndarray, int]:
    """h + sums * scale, saturated, then the tap, which may be a closed loop.

    h: int64 [rows, dim] in 32 bits; sums: int64 [rows, dim]; scale: value of one sum's unit, [rows].
    Returns the new h and how many channels saturated in the addition.
    """
    total = h + scale_round(sums, scale[..., None], fraction=fraction_bits, bits=RESIDUAL_BITS)
    clipped = saturate(total, RESIDUAL_BITS)
    saturated = int(np.count_nonzero(clipped != total))
    if isinstance(tap_parameters, ClosedLoop):
        clipped = closed_loop(clipped, tap_parameters)
    elif tap_parameters is not None:
        rho = constant(2.0**fraction_bits)
        rho = Scalar(np.broadcast_to(rho.m, h.shape[:1]), np.broadcast_to(rho.e, h.shape[:1]))
        clipped = tap(clipped, tap_parameters, rho, bits=RESIDUAL_BITS)
    return clipped, saturated
