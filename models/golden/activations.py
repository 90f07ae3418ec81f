"""Activation functions that the fabric lacks. Three are f(g) = g * m(g): each gives the multiplier m of every gate sum.

    ASH:    m = sigmoid(2 * alpha * (g - mean - z * deviation)), the last two of the token's gates
    CRReLU: m = 1 where g > 0, plus epsilon * exp(-g**2 / 2)
    x cos:  m = cos(g)

Multipliers have 16 fraction bits, as the sigmoid of SiLU, so the product with `up` is SiLU's. The fourth, Spark's soft
threshold, takes from every gate what mean + z * deviation is above 0, and leaves ReLU**2 of that. docs/numerics.md §13.
Sources: "Stochastic Adaptive Activation Function" (ASH); "A Method on Searching Better Activation Functions" (CRReLU);
"Neuro-Symbolic Activation Discovery" (x * cos(x), its formula from the HIGGS data); "Spark Transformer".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from models.golden.deviation import sums_and_variances
from models.golden.gated import GATE_BITS, sigmoid
from models.golden.interpolation import interpolate
from models.golden.rounding import round_shift, saturate
from models.golden.scalar import Scalar, constant, mul, scale_round, shift

__all__ = ["BELL_TABLE", "COS_TABLE", "EPSILON_BITS", "MULTIPLIER_FRACTION", "Z_FRACTION", "Activation",
           "activated_product", "ash", "crrelu", "multiplied", "soft_threshold", "x_cos"]

Activation = Callable[[np.ndarray, Scalar], tuple[np.ndarray, Scalar]]
"""Gate sums int64 [rows, dim] of 21 bits in units of a scalar [rows] to f of them, magnitudes of at most 2**40, and the
value of their unit, [rows]."""

MULTIPLIER_FRACTION = 16
Z_FRACTION = 12
EPSILON_BITS = 20  # 16 of them a fraction
_MULTIPLIER_BITS = 21
_SIGMOID_FRACTION, _SIGMOID_BITS = 14, 19  # of the argument: Q4.14
_BELL_FRACTION, _BELL_BITS = 14, 18  # of the argument: Q3.14
_TURN_BITS = 18  # fraction bits of an angle in turns
BELL_TABLE = np.rint(np.exp(-np.square(np.arange(1025) / 128) / 2) * 65536).astype(np.int64)
COS_TABLE = np.rint(np.cos(np.arange(1025) * (2 * np.pi / 1024)) * 65536).astype(np.int64)


def activated_product(gate: np.ndarray, gate_scale: Scalar, up: np.ndarray, up_scale: Scalar,
                      activation: Activation) -> tuple[np.ndarray, Scalar]:
    """The gated product f(g) * u. gate, up: int64 [rows, dim] sums, scales [rows].

    Returns p: int64 [rows, dim], |p| <= 2**60, and the value of its unit, [rows].
    """
    gate, up = saturate(gate, GATE_BITS), saturate(up, GATE_BITS)
    values, unit = activation(gate, gate_scale)
    return values * up, mul(unit, up_scale)


def multiplied(gate: np.ndarray, scale: Scalar, multipliers: np.ndarray) -> tuple[np.ndarray, Scalar]:
    """g * m(g) and its unit, as an `Activation` gives it. multipliers: saturated to 21 bits."""
    return gate * saturate(multipliers, _MULTIPLIER_BITS), shift(scale, -MULTIPLIER_FRACTION)


def soft_threshold(gate: np.ndarray, z: int) -> np.ndarray:
    """int64 [rows, n]: max(g - t, 0), t = mean + z * deviation of the row's gates, an integer, at least 0.

    z: see `ash`. t is at least 0 so that a gate of 0 stays 0.
    """
    n = gate.shape[-1]
    t = scale_round(_thresholds(gate, z), constant(Fraction(1, n)), bits=GATE_BITS)
    return np.maximum(gate - np.maximum(t, 0)[:, None], 0)


def _thresholds(gate: np.ndarray, z: int) -> np.ndarray:
    """int64 [rows]: n times mean + z * deviation of n gates, n * deviation being the root of `sums_and_variances`."""
    sums, variances = sums_and_variances(gate)
    roots = np.array([math.isqrt(variance) for variance in variances], np.int64)
    return sums + round_shift(z * roots, Z_FRACTION)


def ash(gate: np.ndarray, scale: Scalar, alpha: float, z: int) -> np.ndarray:
    """ASH's multipliers. z: within ±(2**15 - 1), with 12 fraction bits; at most 2**14 channels."""
    n, threshold = gate.shape[-1], _thresholds(gate, z)
    factor = mul(scale, constant(2 * abs(Fraction(alpha)) / n))
    t = scale_round(n * gate - threshold[:, None], Scalar(factor.m[:, None], factor.e[:, None]),
                    fraction=_SIGMOID_FRACTION, bits=_SIGMOID_BITS)
    return sigmoid(t if alpha >= 0 else -t)


def crrelu(gate: np.ndarray, scale: Scalar, epsilon: int) -> np.ndarray:
    """CRReLU's multipliers. epsilon: within ±(2**19 - 1), with 16 fraction bits."""
    size = scale_round(np.abs(gate), Scalar(scale.m[:, None], scale.e[:, None]), fraction=_BELL_FRACTION,
                       bits=_BELL_BITS)
    bell = interpolate(BELL_TABLE, size, 7)
    return ((gate > 0).astype(np.int64) << MULTIPLIER_FRACTION) + round_shift(epsilon * bell, 16)


def x_cos(gate: np.ndarray, scale: Scalar) -> np.ndarray:
    """Multipliers of x * cos(x)."""
    factor = mul(scale, constant(1 / (2 * math.pi)))
    turns = scale_round(gate, Scalar(factor.m[:, None], factor.e[:, None]), fraction=_TURN_BITS, bits=40)
    return interpolate(COS_TABLE, turns & ((1 << _TURN_BITS) - 1), _TURN_BITS - 10)
