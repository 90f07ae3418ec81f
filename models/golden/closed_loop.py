"""A closed loop on the residual stream: one dot product with a vector, one multiple of another added, row by row.

u = (setpoint - v·h) k, h <- h + u. The dot product is exact, so that no order of summation can show; its distance to
the setpoint is a `Scalar` and a sign, and is the row's factor in the place of a tap's constant. docs/numerics.md §14.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from models.golden.rounding import saturate
from models.golden.scalar import from_int, scale_round

__all__ = ["SETPOINT_BITS", "Acts", "ClosedLoop", "closed_loop"]

SETPOINT_BITS = 61
"""Of the setpoint, as of the dot product of 2**14 channels; their difference has one more."""


class Acts(IntEnum):
    """When the loop adds anything: always, or only while v·h lies below or above the setpoint."""

    ALWAYS = 0
    BELOW = 1
    ABOVE = 2


@dataclass(frozen=True, kw_only=True)
class ClosedLoop:
    """Parameters of up to 2**14 channels.

    v ~ direction * 2**a and k ~ gain * 2**b in the float model's units, `exponent` = a + b. The setpoint counts
    products of a unit of the direction and one of the residual, so it does not depend on `exponent`.
    """

    direction: np.ndarray  # int16 [dim]
    gain: np.ndarray  # int16 [dim]
    exponent: int
    setpoint: int  # within SETPOINT_BITS
    acts: Acts = Acts.ALWAYS


def closed_loop(h: np.ndarray, loop: ClosedLoop) -> np.ndarray:
    """h + (setpoint - direction·h) * gain * 2**exponent, or h in rows where the loop does not act.

    h: int64 [rows, dim] in 32 bits. The dot product has 61 bits, its distance to the setpoint 62; truncated to 24 bits
    that is the scalar that scales the gains, each rounded half to even and saturated to 40 bits; the sum to 32.
    """
    error = np.int64(loop.setpoint) - h @ loop.direction.astype(np.int64)
    acts = {Acts.ALWAYS: error != 0, Acts.BELOW: error > 0, Acts.ABOVE: error < 0}[loop.acts]
    signed = np.where(error < 0, -1, 1)[:, None] * loop.gain.astype(np.int64)
    size = from_int(np.abs(error))[:, None]
    return saturate(h + np.where(acts[:, None], scale_round(signed, size, fraction=loop.exponent, bits=40), 0), 32)
