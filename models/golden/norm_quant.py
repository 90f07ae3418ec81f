"""RMSNorm, tap, absmax, quantisation: from any wide vector to the integers a linear layer takes.

    y = gain * x / sqrt(mean(x**2) + eps);  s = Q / max(max|y|, 1e-5);  q = round(y * s);  y ~ q / s

The int8 values do not depend on the scale of x, the dequantisation scale does: the absolute scale
of the token is carried as a `Scalar`. docs/numerics.md §4; transformers `BitLinear`, `BitNetRMSNorm`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from models.golden.rounding import bit_length, round_shift, saturate
from models.golden.scalar import Scalar, add, constant, div, from_int, less, mul, scale_round, shift, sqrt
from models.golden.tap import Tap, tap

__all__ = ["ABSMAX_FLOOR", "INPUT_BITS", "NormConstants", "gained", "norm_constants", "norm_quant", "normalise",
           "quantise"]

INPUT_BITS = 24
ABSMAX_FLOOR = Fraction(1, 100_000)  # transformers' clamp of max|y|


class NormConstants(NamedTuple):
    """Constants of one normalisation, from the compiler. `eps_sum` is None where there is no RMSNorm."""

    gain: Scalar  # sqrt(dim) * 2**-gain_exponent, or 2**-gain_exponent without RMSNorm
    eps_sum: Scalar | None  # dim * eps


def norm_constants(dim: int, gain_exponent: int, eps: float | None) -> NormConstants:
    """Constants for `dim` channels whose gains are int16 * 2**-gain_exponent; eps None: no RMSNorm."""
    if eps is None:
        return NormConstants(constant(Fraction(2) ** -gain_exponent), None)
    root = Fraction(float(np.sqrt(np.float64(dim))))
    return NormConstants(constant(root * Fraction(2) ** -gain_exponent), constant(dim * Fraction(eps)))


def gained(x: np.ndarray, gains: np.ndarray, k: np.ndarray) -> np.ndarray:
    """round_shift(x * gains, k), where the product may have 78 bits. |x| < 2**(23 + k), k <= 39.

    Above 2**k, x times gain is an integer whatever is below: of it the lowest bit alone, which decides ties, has to be
    rounded with the rest.
    """
    whole = x >> k
    rest, above = (x - (whole << k)) * gains, whole * gains
    odd = above & 1
    return above - odd + round_shift((odd << k) + rest, k)


def norm_quant(x: np.ndarray, scale: Scalar, gains: np.ndarray | None, constants: NormConstants, *,
               levels: int = 127, tap_parameters: Tap | None = None) -> tuple[np.ndarray, Scalar]:
    """Normalise, tap and quantise rows.

    x: int64 [rows, dim], |x| < 2**62, in units of `scale` ([rows]); gains: int16 [dim] or None (all one).
    Returns q: int64 [rows, dim] within ±levels (127, or 32767 for the head), and the value of one unit of q.
    """
    v, y_unit = normalise(x, scale, gains, constants)
    if tap_parameters is not None:
        v = tap(v, tap_parameters, div(constant(1), y_unit))
    return quantise(v, y_unit, levels)


def normalise(x: np.ndarray, scale: Scalar, gains: np.ndarray | None, constants: NormConstants
              ) -> tuple[np.ndarray, Scalar]:
    """The first half of `norm_quant`, whose arguments it takes: y as int64 [rows, dim], |y| <= 2**38, and its unit."""
    k = np.maximum(bit_length(np.abs(x).max(axis=-1)) - (INPUT_BITS - 1), 0)
    unit = shift(scale, k)
    v = gained(x, np.int64(1) if gains is None else gains.astype(np.int64), k[..., None])  # |v| <= 2**38
    x = round_shift(x, k[..., None])  # |x| <= 2**23
    if constants.eps_sum is None:
        y_unit = mul(unit, constants.gain)
    else:
        squares = from_int((x * x).sum(axis=-1))
        root = sqrt(add(mul(squares, mul(unit, unit)), constants.eps_sum))
        y_unit = div(mul(unit, constants.gain), root)
    return v, y_unit


def quantise(v: np.ndarray, y_unit: Scalar, levels: int) -> tuple[np.ndarray, Scalar]:
    """The second half of `norm_quant`, with its results. v: int64 [rows, dim], |v| < 2**39, in units of y_unit."""
    v_max = from_int(np.abs(v).max(axis=-1))
    y_max = mul(v_max, y_unit)
    low = less(y_max, constant(ABSMAX_FLOOR))
    normal, clamped = div(constant(levels), v_max), mul(y_unit, constant(levels / ABSMAX_FLOOR))
    multiplier = Scalar(np.where(low, clamped.m, normal.m), np.where(low, clamped.e, normal.e))
    q = saturate(scale_round(v, multiplier[..., None]), levels.bit_length() + 1)
    step, floor = mul(y_max, constant(Fraction(1, levels))), constant(ABSMAX_FLOOR / levels)
    return q, Scalar(np.where(low, floor.m, step.m), np.where(low, floor.e, step.e))
