"""How the rows of a pass are divided: parts of a sequence each, groups that take turns at the engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Block", "Group", "Part", "Piece", "groups_of", "most_divided"]


class Part(NamedTuple):
    """Adjacent rows of a pass that are tokens of one sequence, from its position on."""

    sequence: int
    rows: int


class Piece(NamedTuple):
    """Rows of one part in one block of a group. token: how many rows of the part lie before them."""

    sequence: int
    first_row: int
    rows: int
    token: int


class Block(NamedTuple):
    """Adjacent rows of a group that go through attention together."""

    first_row: int
    rows: int
    pieces: tuple[Piece, ...]


class Group(NamedTuple):
    """Adjacent rows that one descriptor takes at a time, but around attention."""

    first_row: int
    rows: int
    blocks: tuple[Block, ...]


def groups_of(parts: Sequence[Part], size: int, block: int) -> list[Group]:
    """Groups of at most `size` rows in blocks of at most `block`, each beginning at a multiple of those."""
    total = sum(part.rows for part in parts)
    groups = []
    for first in range(0, total, size):
        end = min(first + size, total)
        blocks = tuple(_block(parts, low, min(low + block, end)) for low in range(first, end, block))
        groups.append(Group(first, end - first, blocks))
    return groups


def _block(parts: Sequence[Part], first: int, end: int) -> Block:
    start, pieces = 0, []
    for part in parts:
        low, high = max(first, start), min(end, start + part.rows)
        if low < high:
            pieces.append(Piece(part.sequence, low, high - low, low - start))
        start += part.rows
    return Block(first, end - first, tuple(pieces))


def most_divided(rows: int, sequences: int, size: int) -> tuple[Part, ...]:
    """Parts of so many rows and sequences that have the most pieces, in blocks of `size`: cut elsewhere if possible."""
    cuts = sorted(sorted(range(1, rows), key=lambda row: row % size == 0)[:sequences - 1])
    return tuple(Part(n, end - start) for n, (start, end) in enumerate(zip([0, *cuts], [*cuts, rows], strict=True)))
