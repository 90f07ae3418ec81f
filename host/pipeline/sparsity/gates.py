"""Gates of the feed-forward block and what their activation makes of them: as floats to fit on, as integers to act on.
"""

from __future__ import annotations

import numpy as np

from models.formats.source import FloatLayer
from models.golden.gated import GATE_BITS, sigmoid
from models.golden.rounding import saturate
from models.golden.scalar import Scalar, scale_round, shift
from models.machine.tables import SIGMOID_FRACTION

__all__ = ["activated", "activated_rows", "gate_and_up"]

_INPUT_FRACTION = 14  # of the sigmoid's argument (docs/numerics.md, section 8)
_ABSMAX_FLOOR = 1e-5


def gate_and_up(layer: FloatLayer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outputs [tokens, ffn] of the gate's and up's matrices for their input [tokens, hidden], as the float twin's."""
    step = np.maximum(np.abs(x).max(axis=-1, keepdims=True), x.dtype.type(_ABSMAX_FLOOR)) / x.dtype.type(127)
    q = np.rint(x / step)
    gate, up = (q @ layer.linears[name].trits.T.astype(x.dtype) * (step * x.dtype.type(layer.linears[name].scale))
                for name in ("gate", "up"))
    return gate, up


def activated(gate: np.ndarray, activation: str) -> np.ndarray:
    """act(gate) in floating point."""
    if activation == "relu2":
        return np.square(np.maximum(gate, 0))
    return gate / (1 + np.exp(-np.maximum(gate, -80)))


def activated_rows(x: np.ndarray, unit: Scalar, activation: str) -> tuple[np.ndarray, Scalar, int]:
    """Gate sums int64 [rows, ffn] as something that rises with |act(gate)|, the value of its unit, and n.

    The n-th power of what it stands for is |act(gate)|: ReLU**2's is max(gate, 0), n = 2; SiLU's the product of the
    golden model, n = 1, of 38 bits.
    """
    x = saturate(x, GATE_BITS)
    if activation == "relu2":
        return np.maximum(x, 0), unit, 2
    t = scale_round(x, unit[:, None], fraction=_INPUT_FRACTION, bits=19)
    return x * sigmoid(t), shift(unit, -SIGMOID_FRACTION), 1
