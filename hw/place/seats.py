"""A netlist's multipliers and block memories, each tied to a site of the board's floorplan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hw.boards.floorplan import FREE, BlockRow

__all__ = ["seat"]


def seat(top: dict, rows: Sequence[BlockRow]) -> list[str]:
    """Give each block that a row names an attribute BEL, which nextpnr keeps to; return the named units that have none.
    top: a module of a netlist in Yosys's JSON.

    What is in no row, or finds its row full, stays free. The same blocks get the same sites, in whatever order the
    netlist has them. Why: nextpnr's own placers spread the parts of one product or one memory over the whole chip
    (docs/decisions.md).
    """
    empty = []
    for row in rows:
        names = [name for name, cell in top["cells"].items() if cell["type"] == row.cell]
        empty += [unit for unit in row.units
                  if unit != FREE and not any(name.startswith(f"{unit}.") for name in names)]
        for site, name in zip(row.sites, _in_order(row, names), strict=False):
            if name is not None:
                top["cells"][name]["attributes"]["BEL"] = site
    return empty


def _in_order(row: BlockRow, names: Sequence[str]) -> Iterator[str | None]:
    """What a row's sites get, one after the other; None: nothing."""
    for unit in row.units:
        if unit == FREE:
            yield None
        else:
            yield from sorted((name for name in names if name.startswith(f"{unit}.")), key=_natural)


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """So that part 2 comes before part 10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]
