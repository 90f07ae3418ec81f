"""SeeDNorm: an RMSNorm whose gains follow the input.

    y = [tanh(x . beta) * alpha + gamma] * x / sqrt(mean(x**2) + eps)

The channels are divided among heads: each has its own dot product, with its part of beta, and its own tanh, times its
part of alpha. Gains in integers are those of the RMSNorm plus what the row adds, so where beta is 0 all bits are the
RMSNorm's. docs/numerics.md §12. Source: "SeeDNorm: Self-Rescaled Dynamic Normalization".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.golden.norm_quant import INPUT_BITS, NormConstants, normalise
from models.golden.rounding import bit_length, round_shift
from models.golden.scalar import Scalar, constant, scale_round, shift
from models.golden.tanh import TANH_ARGUMENT_BITS, TANH_ARGUMENT_FRACTION, TANH_FRACTION, tanh

__all__ = ["Rescaling", "seednorm"]

_DOT_BITS = 39  # of a dot product's magnitude with its sign, for `scale_round`
_GAIN_BITS = 15  # of a gain's magnitude


class Rescaling(NamedTuple):
    """alpha, beta: int16 [dim], each with one exponent e, value m * 2**e; heads: divides dim."""

    alpha: np.ndarray
    alpha_exponent: int
    beta: np.ndarray
    beta_exponent: int
    heads: int


def seednorm(x: np.ndarray, scale: Scalar, gains: np.ndarray, gain_exponent: int, constants: NormConstants,
             rescaling: Rescaling) -> tuple[np.ndarray, Scalar]:
    """SeeDNorm of rows.

    x: int64 [rows, dim], |x| < 2**62, dim < 2**24, in units of `scale` ([rows]); gains: int16 [dim], value
    g * 2**-gain_exponent, as `constants` has it. Returns v: int64 [rows, dim], |v| <= 2**38, and the value of one unit
    of v, [rows].
    """
    rows, dim = x.shape
    k = np.maximum(bit_length(np.abs(x).max(axis=-1)) - (INPUT_BITS - 1), 0)
    products = round_shift(x, k[:, None]) * rescaling.beta.astype(np.int64)  # |product| <= 2**38
    dots = products.reshape(rows, rescaling.heads, -1).sum(axis=-1)
    j = np.maximum(bit_length(np.abs(dots)) - (_DOT_BITS - 1), 0)
    unit = shift(scale, k)
    argument = scale_round(round_shift(dots, j), shift(Scalar(unit.m[:, None], unit.e[:, None]), j),
                           fraction=rescaling.beta_exponent + TANH_ARGUMENT_FRACTION, bits=TANH_ARGUMENT_BITS)
    share = np.repeat(tanh(argument), dim // rescaling.heads, axis=1) * rescaling.alpha.astype(np.int64)
    added = scale_round(share, constant(1), bits=40,  # |share| <= 2**31
                        fraction=rescaling.alpha_exponent + gain_exponent - TANH_FRACTION)
    own = gains.astype(np.int64) + added
    w = np.maximum(bit_length(np.abs(own).max(axis=-1)) - _GAIN_BITS, 0)  # 0 where nothing is added
    v, y_unit = normalise(x, scale, round_shift(own, w[:, None]), constants)
    return v, shift(y_unit, w)
