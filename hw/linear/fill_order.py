"""The order in which a table's 27 entries are computed, each from the one before by a single addition."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from hw.linear.group_index import group_index
from models.machine.build import TRITS_PER_GROUP

__all__ = ["FILL_ORDER", "FillStep"]


class FillStep(NamedTuple):
    """Add (or, if `negative`, subtract) activation `digit` of the group; the sum belongs to entry `index`."""

    index: int
    digit: int
    negative: bool


# The lowest plane (third trit -1) as a spiral from its centre, which is one subtraction away from zero;
# the two other planes as snakes over the same ring and centre.
_SPIRAL = ((1, 1), (0, 1), (0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (1, 2), (0, 2))
_SNAKE = ((0, 2), (1, 2), (2, 2), (2, 1), (1, 1), (0, 1), (0, 0), (1, 0), (2, 0))


def _fill_order() -> tuple[FillStep, ...]:
    points = [(1, 1, 1)]
    for plane, path in enumerate((_SPIRAL, _SNAKE, _SNAKE[::-1])):
        points += [(*point, plane) for point in path]
    steps = []
    for before, after in pairwise(points):
        (digit,) = (n for n in range(TRITS_PER_GROUP) if before[n] != after[n])
        index_bits = group_index([value >> bit & 1 for value in after for bit in range(2)])
        index = sum(value << bit for bit, value in enumerate(index_bits))
        steps.append(FillStep(index, digit, after[digit] < before[digit]))
    return tuple(steps)


FILL_ORDER = _fill_order()
