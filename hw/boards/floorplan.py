"""Where a board's large blocks lie: rows of multipliers and block memories, and the units whose blocks each row has."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FREE", "BlockRow"]

FREE = ""
"""In a row's units: one site that is left to the placer."""


@dataclass(frozen=True)
class BlockRow:
    """One row of a chip's blocks of one kind.

    cell: that kind, as Yosys names it. sites: the placer's names for the row's places, from left to right. units: names
    in the hierarchy, below the top module, none within another one's. The blocks of the first lie farthest left; those
    of one unit in the order of their names, so that the parts of one product and of one memory lie side by side.
    """

    cell: str
    sites: tuple[str, ...]
    units: tuple[str, ...]
