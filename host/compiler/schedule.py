"""The descriptors of one pass over a model: what runs on which engine, and who waits for whom.

The rows of a pass are divided into groups that a descriptor takes at a time. Groups take turns: while the linear engine
multiplies for one, the vector engine and attention work on the other (`host.compiler.turns`). The list is a valid
sequential order, with weight streams ahead of their use (`host.compiler.streams_ahead`). docs/program.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from host.compiler.head import Head
from host.compiler.layer import LayerSteps, layer_streams
from host.compiler.memory_map import MemoryMap
from host.compiler.pass_context import PassContext
from host.compiler.rows import Part, groups_of
from host.compiler.streams_ahead import StreamsAhead
from host.compiler.turns import turns
from host.compiler.vocabulary import Chunk
from models.checkpoint import Model
from models.golden.model import TapPoint
from models.golden.tap import Tap
from models.machine.build import BuildParameters

__all__ = ["Schedule"]


@dataclass
class Schedule:
    """Builds the descriptor list of one pass of the rows of `parts`, at device addresses from `base`.

    parts: the sequences that the rows belong to, in order. group_rows: rows a descriptor takes at most (None: the
    build's M); more than M are batches of one MATMUL. chunks: those of the head's ternary copy, where the head is to
    score a shortlist; none: it scores all rows.
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

    def emit(self) -> list[bytes]:
        """All descriptors of the pass."""
        context = PassContext(self.model, self.build, self.memory, self.base, self.taps)
        rows = sum(part.rows for part in self.parts)
        groups = groups_of(self.parts, self.group_rows or self.build.rows, self.build.attention_rows)
        every = list(turns(self.model.config.layers, len(groups)))
        head = Head(context, range(rows if self.head_from is None else self.head_from, rows), groups,
                    chunks=self.chunks, write_logits=self.write_logits)
        of_layers = [stream for turn in every for stream in layer_streams(context, turn, groups)]
        streams = StreamsAhead(context.list, of_layers + head.streams())
        steps = LayerSteps(context, streams, self.parts, groups)
        for turn in every:
            steps.add(turn)
        head.add(streams)
        return context.list.packed()
