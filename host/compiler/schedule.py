"""The descriptors of one pass over a model: what runs on which engine, and who waits for whom.

The rows of a pass are divided into groups that a descriptor takes at a time. Groups take turns: while the linear engine
multiplies for one, the vector engine and attention work on the other (`host.compiler.turns`). The list is a valid
sequential order, with weight streams ahead of their use (`host.compiler.streams_ahead`). docs/program.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from host.compiler.cuts import Action, Cut, Share, segments
from host.compiler.head import Head
from host.compiler.layer import LayerSteps, layer_streams
from host.compiler.memory_map import MemoryMap
from host.compiler.pass_context import PassContext
from host.compiler.rows import Group, Part, groups_of
from host.compiler.streams_ahead import StreamsAhead
from host.compiler.turns import Step, turns
from host.compiler.vocabulary import Chunk
from models.checkpoint import Model
from models.golden.model import TapPoint
from models.golden.tap import Tap
from models.machine.build import BuildParameters

__all__ = ["Listed", "Schedule"]


class Listed(NamedTuple):
    """A program of a pass: the stop that comes before it, where there is one, and its descriptors (perhaps none)."""

    stop: Cut | None
    descriptors: list[bytes]


@dataclass
class Schedule:
    """Builds the descriptor lists of one pass of the rows of `parts`, at device addresses from `base`.

    parts: the sequences that the rows belong to, in order. group_rows: rows a descriptor takes at most (None: the
    build's M); more than M are batches of one MATMUL. chunks: those of the head's ternary copy, where the head is to
    score a shortlist; none: it scores all rows. layers: those of the pass (None: all). cuts: where it stops, in order.
    """

    model: Model
    build: BuildParameters
    memory: MemoryMap
    base: int
    parts: tuple[Part, ...]
    taps: Mapping[TapPoint, Tap]
    head_from: int | None = 0  # the head runs on this row and those behind it; None: on none
    write_logits: bool = False
    group_rows: int | None = None
    chunks: Sequence[Chunk] = ()
    layers: range | None = None
    cuts: Sequence[Cut] = ()

    def emit(self) -> list[Listed]:
        """The programs of the pass; a pass that isn't cut has one."""
        layers = range(self.model.config.layers) if self.layers is None else self.layers
        groups = groups_of(self.parts, self.group_rows or self.build.rows, self.build.attention_rows)
        every = list(segments(turns(layers, len(groups)), len(groups), self.cuts))
        return [Listed(stop, self._program(actions, stop, layers, groups, last=n == len(every) - 1))
                for n, (stop, actions) in enumerate(every)]

    def _program(self, actions: Sequence[Action], stop: Cut | None, layers: range, groups: Sequence[Group], *,
                 last: bool) -> list[bytes]:
        context = PassContext(self.model, self.build, self.memory, self.base, self.taps, layers)
        rows = sum(part.rows for part in self.parts)
        head_rows = range(rows if self.head_from is None or not last else self.head_from, rows)
        at_end = stop if stop is not None and stop.step == Step.END else None
        head = Head(context, head_rows, groups, chunks=self.chunks, write_logits=self.write_logits, stop=at_end)
        of_layers = [stream for action in actions if action.part != Share.FRONT
                     for stream in layer_streams(context, action.turn, groups)]
        streams = StreamsAhead(context.list, of_layers + head.streams())
        steps = LayerSteps(context, streams, self.parts, groups)
        for action in actions:
            steps.add(*action)
        head.add(streams)
        return context.list.packed()
