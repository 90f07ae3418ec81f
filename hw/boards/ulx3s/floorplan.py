"""Rows of blocks of an LFE5U-85F, and which units of the system have theirs in each."""

from __future__ import annotations

from hw.boards.floorplan import FREE, BlockRow

__all__ = ["FLOORPLAN"]

_GROUPS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)  # columns at which four blocks begin


def _row(cell: str, y: int, units: tuple[str | int, ...]) -> BlockRow:
    """units: below `system`; a number is that of sites between two of them that stay free."""
    named: list[str] = []
    for unit in units:
        named += [FREE] * unit if isinstance(unit, int) else [f"system.{unit}"]
    if cell == "MULT18X18D":
        sites = tuple(f"X{x + n}/Y{y}/MULT18_{n}" for x in _GROUPS for n in (0, 1, 4, 5))
    else:
        sites = tuple(f"X{x + 2 * n}/Y{y}/EBR{n}" for x in _GROUPS for n in range(4))
    return BlockRow(cell, sites, tuple(named))


_MULTIPLIERS: dict[int, tuple[str | int, ...]] = {
    10: (6, "core.attention"),
    34: ("core.head.row_sums", "core.head.scale", 10, "core.memory"),
    58: ("core.vector.control", "core.vector.select", "core.vector.norm.source", "core.vector.norm.norm",
         "core.vector.scalar", "core.vector.tap", "core.vector.heads", "core.vector.rescale"),
}
_MEMORIES: dict[int, tuple[str | int, ...]] = {
    22: (8, "core.attention", 3, "core.control.queue_attend", 6, "core.memory.cache_reader",
         "core.memory.descriptor_reader", "core.memory.load_reader"),
    46: (2, "core.head", 2, "core.control.queue_head", 8, "core.memory.fifos", 1, "core.memory.router",
         "core.memory.rows", 1, "core.control.queue_load", 1, "core.control.queue_fetch", 2, "memory", "link"),
    70: (10, "core.vector", 2, "core.control.queue_vector"),
    82: (14, "core.linear", 2, "core.control.queue_linear"),
}

FLOORPLAN = (*(_row("MULT18X18D", y, units) for y, units in _MULTIPLIERS.items()),
             *(_row("DP16KD", y, units) for y, units in _MEMORIES.items()))
"""From the top of the chip: attention beside the cache's readers, head, vector, linear; each engine's command queue
beside it, and what reads and writes the SDRAM to the right, where its pads are."""
