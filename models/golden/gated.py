"""The gated product of the feed-forward block: ReLU(gate)**2 * up or SiLU(gate) * up.

Gate and up arrive as exact sums with one scale each, so ReLU²·up is exact; SiLU needs the gate's
absolute value for its sigmoid alone. docs/numerics.md §8.
"""

from __future__ import annotations

import numpy as np

from models.golden.rounding import saturate
from models.golden.scalar import Scalar, mul, scale_round, shift
from models.machine.tables import SIGMOID_FRACTION, SIGMOID_TABLE

__all__ = ["GATE_BITS", "gated_product", "sigmoid"]

GATE_BITS = 21  # exact for inputs up to 8,256 channels
_INPUT_FRACTION = 14  # of the sigmoid's argument, Q4.14
_SEGMENT_BITS = 9  # 1,024 linear segments of 1/32 over [-16, 16)


def sigmoid(t: np.ndarray) -> np.ndarray:
    """Sigmoid of t / 2**14, |t| < 2**18, by linear interpolation: 0 .. 2**16."""
    segment, rest = (t >> _SEGMENT_BITS) + 512, t & ((1 << _SEGMENT_BITS) - 1)
    low, high = SIGMOID_TABLE[segment], SIGMOID_TABLE[segment + 1]
    return low + (((high - low) * rest + (1 << (_SEGMENT_BITS - 1))) >> _SEGMENT_BITS)


def gated_product(gate: np.ndarray, gate_scale: Scalar, up: np.ndarray, up_scale: Scalar,
                  activation: str) -> tuple[np.ndarray, Scalar]:
    """gate, up: int64 [rows, dim] sums, scales [rows]; activation: "relu2" or "silu".

    Returns p: int64 [rows, dim], |p| < 2**61, and the value of its unit, Scalar [rows].
    """
    gate, up = saturate(gate, GATE_BITS), saturate(up, GATE_BITS)
    if activation == "relu2":
        gate = np.maximum(gate, 0)
        return gate * gate * up, mul(mul(gate_scale, gate_scale), up_scale)
    if activation != "silu":
        raise ValueError(f"{activation} is a stage's: models.golden.activations")
    t = scale_round(gate, gate_scale[..., None], fraction=_INPUT_FRACTION, bits=19)
    return gate * sigmoid(t) * up, shift(mul(gate_scale, up_scale), -SIGMOID_FRACTION)
