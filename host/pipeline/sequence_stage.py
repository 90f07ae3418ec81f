"""What a stage is that remembers: it is told which rows are whose, and which belong to a prompt.

Before a pass with a stop the runtime tells it the pass' rows (`begin`); then `apply` is called once at each of its
points, for all those rows. It may keep what it sees by sequence and position, and nothing else: what a row gets must
follow from the rows of its sequence before it, in whatever pieces they came. A sequence that goes on from a lower
position has forgotten what lay behind. Each session and each request has a stage of its own (`fresh`), and a cache that
such a stage has seen is not taken over by another request.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from host.pipeline.stage import Stage

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SequenceRows", "SequenceStage", "told_rows"]


class SequenceRows(NamedTuple):
    """Rows of a pass that follow each other in a sequence. position: of the first. prompt: how many of them, the first
    ones, are a prompt's: those after which no next token is wanted, so never a prompt's last."""

    sequence: int
    position: int
    rows: int
    prompt: int


class SequenceStage(Stage):
    """A stage with a memory of sequences."""

    def fresh(self) -> Self:
        """The same stage, which has seen nothing."""
        return type(self)(self.tensors, self.strength)

    @abstractmethod
    def begin(self, parts: Sequence[SequenceRows]) -> None:
        """A pass begins; its rows, in order."""


def told_rows(kind: str, parts: Sequence[tuple[int, int]], positions: Sequence[int], head_from: int
              ) -> list[SequenceRows]:
    """The rows of a pass of a kind (`Program`) over (sequence, rows) each, as a stage is told of them.

    positions: of the sequences before the pass. head_from: of "decode", as in `Session.advance`.
    """
    total = sum(rows for _, rows in parts)
    wanted = {"prefill": total, "next": total - 1, "score": 0}.get(kind, head_from)
    found, start = [], 0
    for sequence, rows in parts:
        found.append(SequenceRows(sequence, positions[sequence], rows, min(max(wanted - start, 0), rows)))
        start += rows
    return found
