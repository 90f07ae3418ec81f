"""The order in which groups of rows take turns at the engines.

Each group goes through the steps of a layer one after another: work of the vector engine, or of attention behind it,
then a matrix product. Groups alternate step by step, so that one's product hides the others' vector work, and vectors
of gains serve all groups while they are loaded. In a simple model of the engines a search among other orders of two
groups found none faster by more than 0.3 %.
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


class Turn(NamedTuple):
    """A step of a layer for a group."""

    group: int
    layer: int
    step: Step


def turns(layers: int, groups: int) -> Iterator[Turn]:
    """All turns of a pass, in order."""
    steps = [(layer, step) for layer in range(layers) for step in Step if step != Step.END]
    for layer, step in (*steps, (layers - 1, Step.END)):
        yield from (Turn(group, layer, step) for group in range(groups))
