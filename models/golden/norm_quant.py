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


def normalise(x: np.ndarray, scale: Scalar, gains: np.ndarray | None,
              constants: NormConstants) -> tuple[np.ndarray, Scalar]:
    """RMSNorm of rows, or where `constants` have none the gains alone.

    x: int64 [rows, dim], |x| < 2**62, in units of `scale` ([rows]); gains: int16 [dim] or None (all one).
    Returns v: int64 [rows, dim], |v| <= 2**38, and the value of one unit of v, [rows].
    """
    k = np.maximum(bit_length(np.abs(x).max(axis=-1)) - (INPUT_BITS - 1), 0)
    unit = shift(scale, k)
    v = gained(x, np.int64(1) if gains is None else gains.astype(np.int64), k[..., None])
    x = round_shift(x, k[..., None])  # |x| <= 2**23
    if constants.eps_sum is None:
        return v, mul(unit, constants.gain)
    squares = from_int((x * x).sum(axis=-1))
    root = sqrt(add(mul(squares, mul(unit, unit)), constants.eps_sum))
    return v, div(mul(unit, constants.gain), root)


def quantise(v: np.ndarray, unit: Scalar, *, levels: int = 127) -> tuple[np.ndarray, Scalar]:
    """Rows of a linear layer's input as integers within ±levels (127, or 32767 for the head).

    v: int64 [rows, dim], |v| < 2**39, in units of `unit` ([rows]). Returns q: int64 [rows, dim], and the value of one
    unit of q.
    """
    v_max = from_int(np.abs(v).max(axis=-1))
    y_max = mul(v_max, unit)
    low = less(y_max, constant(ABSMAX_FLOOR))
    normal, clamped = div(constant(levels), v_max), mul(unit, constant(levels / ABSMAX_FLOOR))
    multiplier = Scalar(np.where(low, clamped.m, normal.m), np.where(low, clamped.e, normal.e))
    q = saturate(scale_round(v, multiplier[..., None]), levels.bit_length() + 1)
    step, floor = mul(y_max, constant(Fraction(1, levels))), constant(ABSMAX_FLOOR / levels)
    return q, Scalar(np.where(low, floor.m, step.m), np.where(low, floor.e, step.e))


def norm_quant(x: np.ndarray, scale: Scalar, gains: np.ndarray | None, constants: NormConstants, *,
               levels: int = 127, tap_parameters: Tap | None = None) -> tuple[np.ndarray, Scalar]:
    """Normalise (`normalise`), tap and quantise (`quantise`) rows."""
    v, unit = normalise(x, scale, gains, constants)
    if tap_parameters is not None:
        v = tap(v, tap_parameters, div(constant(1), unit))
    return quantise(v, unit, levels=levels)
