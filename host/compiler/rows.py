"""How the rows of a pass are divided: parts of a sequence each, groups that take turns at the engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Group", "Part", "Piece", "groups_of", "most_divided"]


class Part(NamedTuple):
    """Adjacent rows of a pass that are tokens of one sequence, from its position on."""

    sequence: int
    rows: int


class Piece(NamedTuple):
    """Rows of one part in one group. token: how many rows of the part lie before them."""

    sequence: int
    first_row: int
    rows: int
    token: int


class Group(NamedTuple):
    """Adjacent rows that one descriptor takes at a time."""

    first_row: int
    rows: int
    pieces: tuple[Piece, ...]


def groups_of(parts: Sequence[Part], size: int) -> list[Group]:
    """Groups of at most `size` rows, each beginning at a multiple of it."""
    total = sum(part.rows for part in parts)
    groups = []
    for first in range(0, total, size):
        end, start, pieces = min(first + size, total), 0, []
        for part in parts:
            low, high = max(first, start), min(end, start + part.rows)
            if low < high:
                pieces.append(Piece(part.sequence, low, high - low, low - start))
            start += part.rows
        groups.append(Group(first, end - first, tuple(pieces)))
    return groups


def most_divided(rows: int, sequences: int, size: int) -> tuple[Part, ...]:
    """Parts of so many rows and sequences that have the most pieces: cut anywhere but where groups begin."""
    cuts = sorted(sorted(range(1, rows), key=lambda row: row % size == 0)[:sequences - 1])
    return tuple(Part(n, end - start) for n, (start, end) in enumerate(zip([0, *cuts], [*cuts, rows], strict=True)))
