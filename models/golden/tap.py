"""The per-channel tap: gain, add, clip, threshold, for sparsity and steering.

Sits on the residual stream (steering) and on a linear layer's input before it is quantised
(sparsity, clipping). Parameters are 16-bit mantissas with one exponent per field; `rho` turns the
units of the parameters into the units of the stream, so a threshold given in normalised units
follows the token. docs/numerics.md §5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.golden.rounding import round_shift, saturate
from models.golden.scalar import Scalar, scale_round

__all__ = ["GAIN_ONE", "NO_CLIP", "Tap", "neutral_tap", "tap"]

GAIN_FRACTION = 13
GAIN_ONE = 1 << GAIN_FRACTION
NO_CLIP = 0xFFFF


@dataclass(frozen=True, kw_only=True)
class Tap:
    """Parameters of `dim` channels. A field's value is mantissa * 2**exponent, in units of the float model."""

    gain: np.ndarray  # int16 [dim], Q2.13
    add: np.ndarray  # int16 [dim]
    clip: np.ndarray  # uint16 [dim], NO_CLIP: none
    threshold: np.ndarray  # uint16 [dim]
    add_exponent: int = 0
    clip_exponent: int = 0
    threshold_exponent: int = 0

    @property
    def affine(self) -> bool:
        """Whether it has neither clip nor threshold: gain and add say all."""
        return bool((self.clip == NO_CLIP).all()) and not self.threshold.any()


def neutral_tap(dim: int) -> Tap:
    """The tap that changes no bit."""
    return Tap(gain=np.full(dim, GAIN_ONE, np.int16), add=np.zeros(dim, np.int16),
               clip=np.full(dim, NO_CLIP, np.uint16), threshold=np.zeros(dim, np.uint16))


def tap(x: np.ndarray, parameters: Tap, rho: Scalar, *, bits: int = 40) -> np.ndarray:
    """y = gain * x + add, clipped to ±clip, zero where |y| <= threshold.

    x: int64 [rows, dim], |x| < 2**39; rho: units of x per unit of the parameters, [rows].
    Returns int64 [rows, dim] saturated to `bits` bits.
    """
    per_row = rho[..., None]
    scaled = round_shift(x * parameters.gain.astype(np.int64), GAIN_FRACTION)
    offset = scale_round(parameters.add.astype(np.int64), per_row, fraction=parameters.add_exponent, bits=40)
    y = saturate(scaled + offset, bits)
    limit = scale_round(parameters.clip.astype(np.int64), per_row, fraction=parameters.clip_exponent, bits=40)
    y = np.where(parameters.clip == NO_CLIP, y, np.clip(y, -limit, limit))
    threshold = scale_round(parameters.threshold.astype(np.int64), per_row,
                            fraction=parameters.threshold_exponent, bits=40)
    return np.where(np.abs(y) <= threshold, 0, y)
