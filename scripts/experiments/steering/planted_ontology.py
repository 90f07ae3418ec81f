"""A small world to reason about: concepts planted in rows, and rules that take several hops to a verdict.

After PrOntoQA, whose questions are of the kind "every A is a B, every B is no C; is this A a C?". Of eight concepts
half lead to the verdict that the world is warm and half to the contrary, over 1, 2, 4 or 6 rules. A warm world is
steered to the concept a0, one that is not to b0. A row has the direction of the concepts that it holds, of three other
features out of 24, and noise; all directions are drawn at random.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from host.pipeline.observing import SKIPPED
from host.pipeline.sequence_stage import SequenceRows
from host.pipeline.steering.reasoning import Reasoning
from host.pipeline.steering.rules import STEER, Rules, chain, parse_rules
from models.checkpoint import Model

__all__ = ["HOPS", "NAMES", "RULES_TEXT", "World", "grow_world", "verdicts"]

HOPS = (1, 2, 4, 6)
"""From a concept of either side to the verdict, rules applied one after another."""

NAMES = tuple(f"{side}{index}" for side in "ab" for index in range(len(HOPS)))

RULES_TEXT = """
a0 => steer a0
a1 => warm
a2 => p3
a3 => p1
p1 => p2
p2 => p3
p3 => p4
p4 => warm
p4 => p1          # a circle
warm => steer a0
b0 => steer b0
b1 => not warm
b2 => q3
b3 => q1
q1 => q2
q2 => q3
q3 => q4
q4 => not warm
not warm => steer b0
"""

_FEATURES, _ACTIVE, _ROWS = 24, 3, 300


class World(NamedTuple):
    """fitted, asked: rows [rows, channels] for each of `NAMES`; both: rows that hold a concept of either side."""

    fitted: list[np.ndarray]
    asked: list[np.ndarray]
    both: np.ndarray


def grow_world(channels: int, noise: float, seed: int) -> World:
    """noise: its norm over that of a concept's direction."""
    random = np.random.default_rng(seed)
    directions = random.standard_normal((len(NAMES) + _FEATURES, channels))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)

    def rows(*concepts: int) -> np.ndarray:
        amounts = np.zeros((_ROWS, len(directions)))
        for row in amounts:
            row[len(NAMES) + random.choice(_FEATURES, _ACTIVE, replace=False)] = random.uniform(0.5, 2, _ACTIVE)
        amounts[:, list(concepts)] = random.uniform(0.5, 2, (_ROWS, len(concepts)))
        return amounts @ directions + noise / np.sqrt(channels) * random.standard_normal((_ROWS, channels))

    alone = [[rows(index) for index in range(len(NAMES))] for _ in range(2)]
    return World(*alone, rows(HOPS.index(2), len(HOPS) + HOPS.index(2)))


def verdicts(stage: Reasoning, model: Model, rows: np.ndarray, *, rounds: int | None = None) -> np.ndarray:
    """What is concluded of each row, in the stage's integers: 1 warm, -1 not, 0 unknown. rounds: as of `chain`."""
    stage.begin([SequenceRows(index, SKIPPED, 1, 0) for index in range(len(rows))])
    facts = stage.facts(np.rint(np.ldexp(rows, model.residual_fraction_bits)).astype(np.int64), model)
    steered = chain(parsed(), facts, rounds=rounds)[:, STEER]
    warm, cold = (steered[:, NAMES.index(name)] > 0 for name in ("a0", "b0"))
    return warm.astype(int) - cold.astype(int)


def parsed() -> Rules:
    """The world's rules."""
    return parse_rules(RULES_TEXT, NAMES, "the world's rules")
