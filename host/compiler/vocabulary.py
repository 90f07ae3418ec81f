"""The vocabulary in the chunks in which a shortlist is chosen: each is a matrix of its own, with its rows' scales."""

from __future__ import annotations

from typing import NamedTuple

from models.machine.build import CHANNEL_UNIT, BuildParameters

__all__ = ["HEADS", "Chunk", "chunks_of"]

HEADS = ("exact", "shortlist")
"""How a program finds the best tokens: by the logits of all rows, or by those of a shortlist."""


class Chunk(NamedTuple):
    """Rows `first` .. `first` + `rows` - 1 of the vocabulary; number: which chunk they are."""

    number: int
    first: int
    rows: int

    @property
    def name(self) -> str:
        """Name of the region that holds its trits."""
        return f"head.ternary.{self.number}"

    @property
    def scales_name(self) -> str:
        """Name of the region that holds its scales."""
        return f"head.ternary.scales.{self.number}"

    @property
    def scales_bytes(self) -> int:
        """Bytes of its scales, int16, padded to whole words of the vector engine."""
        return -(-self.rows // CHANNEL_UNIT) * CHANNEL_UNIT * 2


def chunks_of(vocab: int, build: BuildParameters) -> list[Chunk]:
    """All chunks, in order."""
    size = build.chunk_rows
    return [Chunk(number, first, min(size, vocab - first)) for number, first in enumerate(range(0, vocab, size))]
