"""A closed loop on the residual stream: one dot product with a vector, one multiple of another added, row by row.

u = (setpoint - v·h) k, h <- h + u. The dot product is exact, so that no order of summation can show; its distance to
the setpoint is a `Scalar` and a sign, and is the row's factor in the place of a tap's constant. docs/numerics.md §14.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.golden.rounding import saturate
from models.golden.scalar import from_int, scale_round
from models.golden.tap import Tap, neutral_tap
from models.machine.descriptor import Loop

__all__ = ["LOOP_CHANNELS", "SETPOINT_BITS", "ClosedLoop", "closed_loop"]

LOOP_CHANNELS = 1 << 14
"""The most channels of a row."""

SETPOINT_BITS = 61
"""Of the setpoint, as of the dot product of so many channels; their difference has one more."""


@dataclass(frozen=True, kw_only=True)
class ClosedLoop(Tap):
    """A tap of the residual whose gain is a direction v ~ gain * 2**a, and whose add the vector k ~ add * 2**b of which
    a multiple is added: add_exponent is a + b. It has no clip and no threshold.

    The setpoint counts products of a unit of the direction and one of the residual, so it does not depend on exponents.
    """

    setpoint: int  # within SETPOINT_BITS
    acts: Loop  # but for NONE

    @classmethod
    def of(cls, direction: np.ndarray, gain: np.ndarray, exponent: int, setpoint: int, acts: Loop = Loop.ALWAYS
           ) -> ClosedLoop:
        """From mantissas within int16, of v and of k."""
        neutral = vars(neutral_tap(direction.size)) | {"gain": direction.astype(np.int16), "add": gain.astype(np.int16),
                                                       "add_exponent": exponent}
        return cls(setpoint=setpoint, acts=acts, **neutral)


def closed_loop(h: np.ndarray, loop: ClosedLoop) -> np.ndarray:
    """h + (setpoint - direction·h) * gain * 2**exponent, or h in rows where the loop does not act.

    h: int64 [rows, dim] in 32 bits. The dot product has 61 bits, its distance to the setpoint 62; truncated to 24 bits
    that is the scalar that scales the gains, each rounded half to even and saturated to 40 bits; the sum to 32.
    """
    error = np.int64(loop.setpoint) - h @ loop.gain.astype(np.int64)
    acts = {Loop.ALWAYS: error != 0, Loop.BELOW: error > 0, Loop.ABOVE: error < 0}[loop.acts]
    signed = np.where(error < 0, -1, 1)[:, None] * loop.add.astype(np.int64)
    size = from_int(np.abs(error))[:, None]
    return saturate(h + np.where(acts[:, None], scale_round(signed, size, fraction=loop.add_exponent, bits=40), 0), 32)
