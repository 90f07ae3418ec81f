"""The order in which groups of rows take turns at the engines.

Each group goes through the steps of a layer one after another: work of the vector engine, or of attention behind it,
then a matrix product. Groups alternate, so that one's product hides the others' vector work, and vectors of gains serve
all groups while they are loaded. From q, k, v to o a group goes on alone: its attention and o lie under the next one's
q, k, v.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

__all__ = ["Step", "Turn", "turns"]


class Step(Enum):
    """Of a layer, in order; END follows the last layer."""

    QKV = "residual of the layer before, norm; q, k, v"
    HEADS = "rotation, quantisation, cache, attention"
    OUT = "attention's norm; o"
    GATE_UP = "residual, norm; gate, up"
    DOWN = "gated product, norm; down"
    END = "residual of the last layer"


_TOGETHER = ((Step.QKV,), (Step.HEADS, Step.OUT), (Step.GATE_UP,), (Step.DOWN,))
"""Steps of a layer in order, and which of them a group takes before another has its turn."""


class Turn(NamedTuple):
    """A step of a layer for a group."""

    group: int
    layer: int
    step: Step


def turns(layers: int, groups: int) -> Iterator[Turn]:
    """All turns of a pass, in order."""
    for layer in range(layers):
        for steps in _TOGETHER:
            yield from (Turn(group, layer, step) for group in range(groups) for step in steps)
    yield from (Turn(group, layers - 1, Step.END) for group in range(groups))
