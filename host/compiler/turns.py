"""The order in which groups of rows take turns at the engines.

Each group goes through the steps of a layer one after another: work of the vector engine, or of attention behind it,
then a matrix product. Groups alternate, so that one's product hides the others' vector work, and vectors of gains serve
all groups while they are loaded. Queries and keys are made as soon as their sums are there, beside the products of k
and v: what is left for when all of them are through is the last group's values, attention and norm, beside the o of
the group before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

__all__ = ["Step", "Turn", "turns"]


class Step(Enum):
    """Of a layer, in order; END follows the last layer."""

    QKV = "residual of the layer before, norm; q, k, v"
    QUERIES = "rotation, quantisation"
    KEYS = "rotation, quantisation, cache"
    VALUES = "quantisation, cache; attention"
    OUT = "attention's norm; o"
    GATE_UP = "residual, norm; gate, up"
    DOWN = "gated product, norm; down"
    END = "residual of the last layer"


class Turn(NamedTuple):
    """A step of a layer for a group."""

    group: int
    layer: int
    step: Step


def turns(layers: range, groups: int) -> Iterator[Turn]:
    """All turns of a pass over some layers, in order."""
    every = range(groups)
    for layer in layers:
        yield from (Turn(group, layer, Step.QKV) for group in every)
        yield from (Turn(0, layer, step) for step in (Step.QUERIES, Step.KEYS))
        for group in every:
            yield Turn(group, layer, Step.VALUES)
            following = group + 1 < groups
            if following:
                yield Turn(group + 1, layer, Step.QUERIES)
            yield Turn(group, layer, Step.OUT)
            if following:
                yield Turn(group + 1, layer, Step.KEYS)
        for step in (Step.GATE_UP, Step.DOWN):
            yield from (Turn(group, layer, step) for group in every)
    yield from (Turn(group, layers.stop - 1, Step.END) for group in every)
