"""The order in which groups of rows take turns at the engines.

Each group goes through the steps of a layer one after another: work of the vector engine (for HEADS then of attention),
then a matrix product. With two groups one's product hides the other's vector work, if the order is right: products of
a layer take from a twelfth to almost half of its time. So the order is that of a small simulation: whenever the vector
engine is free, it takes the step whose turn comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from models.config import ModelConfig
from models.machine.build import LANES, BuildParameters
from models.machine.layout import weight_beats

__all__ = ["Step", "Turn", "turns"]


class Step(Enum):
    """Of a layer, in order; END follows the last layer."""

    QKV = "residual of the layer before, norm; q, k, v"
    HEADS = "rotation, quantisation, cache, attention"
    OUT = "attention's norm; o"
    GATE_UP = "residual, norm; gate, up"
    DOWN = "gated product, norm; down"
    END = "residual of the last layer"


class Turn(NamedTuple):
    """A step of a layer for a group."""

    group: int
    layer: int
    step: Step


class _Cycles(NamedTuple):
    """Of a step, about: of the vector engine and of attention for each row, of the ports for all."""

    vector: float
    attention: float
    product: float


def turns(config: ModelConfig, build: BuildParameters, rows: Sequence[int]) -> list[Turn]:
    """All turns of a pass over groups of so many rows, in an order that respects each group's own."""
    cycles = _cycles(config, build)
    steps = [(layer, step) for layer in range(config.layers) for step in Step if step != Step.END]
    steps.append((config.layers - 1, Step.END))
    done = [0] * len(rows)
    ready = [0.0] * len(rows)  # when the group's last step is through
    vector = linear = attention = 0.0  # when the engine is free
    order: list[Turn] = []
    while len(order) < len(rows) * len(steps):
        starts = [(max(ready[g], vector), done[g], g) for g in range(len(rows)) if done[g] < len(steps)]
        start, _, group = min(starts)
        layer, step = steps[done[group]]
        cost = cycles[step]
        vector = ready[group] = start + cost.vector * rows[group]
        if cost.attention:
            attention = ready[group] = max(vector, attention) + cost.attention * rows[group]
        if cost.product:
            linear = ready[group] = max(vector, linear) + cost.product
        done[group] += 1
        order.append(Turn(group, layer, step))
    return order


def _cycles(config: ModelConfig, build: BuildParameters) -> dict[Step, _Cycles]:
    """From the passes over a row's channels, and the beats of the matrices."""
    hidden, ffn, heads = (n / LANES for n in (config.hidden_size, config.ffn_size, config.heads * config.head_dim))
    kv = config.kv_heads * config.head_dim / LANES

    def beats(*names: str) -> float:
        return float(sum(weight_beats(*config.linear_shapes[name], build) for name in names))

    norm, attention = 3, heads  # passes over a row; attention over a few hundred tokens
    return {Step.QKV: _Cycles((1 + norm) * hidden, 0, beats("q", "k", "v")),
            Step.HEADS: _Cycles(1.5 * (heads + 2 * kv), attention, 0),
            Step.OUT: _Cycles(norm * heads, 0, beats("o")),
            Step.GATE_UP: _Cycles((1 + norm) * hidden, 0, beats("gate", "up")),
            Step.DOWN: _Cycles(norm * ffn, 0, beats("down")),
            Step.END: _Cycles(hidden, 0, 0)}
