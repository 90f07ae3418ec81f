"""Where a pass stops for the host: between a front and a back of a layer's step, for all rows at once.

A stop's front brings what the step begins with: the residual behind an addition, attention's results, the sums of gate
and up. STORE writes it to memory and the program ends. The back goes on with what the host wrote there: residual rows,
or the rows of a linear layer's input with their steps. docs/program.md, "Stops".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from host.compiler.turns import Step, Turn
from models.golden.model import TapPoint

__all__ = ["INPUT_STEP", "Action", "Cut", "Share", "cuts_of", "every_cut", "segments"]

INPUT_STEP = {"attention_norm": Step.QKV, "qkv": Step.QKV, "o": Step.OUT, "ffn_norm": Step.GATE_UP,
              "gate_up": Step.GATE_UP, "gate": Step.DOWN, "product": Step.DOWN, "down": Step.DOWN}
"""Sites at or behind which the host makes a step's input."""

_ORDER = (Step.QKV, Step.OUT, Step.GATE_UP, Step.DOWN, Step.END)


class Cut(NamedTuple):
    """A stop in a step of a layer. What comes back: `residual` rows, `inputs` of the step's matrices.

    Step.END is that of the last layer of a pass; its inputs are the head's. A stop that gives nothing back is there to
    look.
    """

    layer: int
    step: Step
    residual: bool
    inputs: bool


class Share(Enum):
    """What of a turn is listed."""

    WHOLE = "front and back"
    FRONT = "up to what the host is given"
    BACK = "from what the host gives back on"


class Action(NamedTuple):
    """A turn, or a part of it at a cut."""

    turn: Turn
    part: Share
    cut: Cut | None


def cuts_of(points: Collection[TapPoint], layers: range) -> tuple[Cut, ...]:
    """The cuts at which a pass over `layers` can hand every point's values to the host and take them back, in order."""
    residual: set[tuple[int, Step]] = set()
    inputs: set[tuple[int, Step]] = set()
    for point in points:
        if point.site == "residual":
            last = point.layer + 1 == layers.stop
            residual.add((point.layer, Step.END) if last else (point.layer + 1, Step.QKV))
        elif point.site == "head":
            inputs.add((layers.stop - 1, Step.END))
        else:
            inputs.add((point.layer, INPUT_STEP[point.site]))
    every = sorted(residual | inputs, key=lambda key: (key[0], _ORDER.index(key[1])))
    return tuple(Cut(*key, key in residual, key in inputs) for key in every)


def every_cut(layers: range) -> tuple[Cut, ...]:
    """The cuts of a pass over `layers` that stops wherever it can, and takes back all that it can."""
    cuts = [Cut(layer, step, residual=step == Step.QKV and layer > layers.start, inputs=True)
            for layer in layers for step in _ORDER[:-1]]
    return (*cuts, Cut(layers.stop - 1, Step.END, residual=True, inputs=True))


def segments(turns: Iterable[Turn], groups: int, cuts: Sequence[Cut]) -> Iterator[tuple[Cut | None, list[Action]]]:
    """The programs of a pass in order: the cut that each begins with, None where it begins the pass, and its actions.

    Turns that other groups have between the fronts of a cut stay where they are; the backs follow the last front. A
    cut in the very first step has no front: the host has what the pass begins with.
    """
    at = {(cut.layer, cut.step): cut for cut in cuts}
    begins: Cut | None = None
    first = True
    actions: list[Action] = []
    backs: list[Action] = []
    for turn in turns:
        cut = at.get((turn.layer, turn.step))
        if cut is None:
            actions.append(Action(turn, Share.WHOLE, None))
            first = False
            continue
        if not first:
            actions.append(Action(turn, Share.FRONT, cut))
        backs.append(Action(turn, Share.BACK, cut))
        if turn.group == groups - 1:
            if actions:
                yield begins, actions
            begins, actions, backs, first = cut, backs, [], False
    yield begins, actions
