"""A board placed and routed whole: `python -m scripts.experiments.place_board [--board ulx3s] [--seeds N] [--record]`.

What `python -m hw.build --board BOARD` makes, out of the same cache, where that has run: the clock that each seed
reaches, the sites of the whole chip and of each unit, the slowest path into each unit. `--record` writes the tables
into docs/ulx3s.md.
"""

from __future__ import annotations

import hashlib
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hw.boards.device import Resources
from hw.boards.registry import BOARDS, BUILDS
from hw.emit import kept_verilog
from hw.place.bitstream import MEMORY_PADS, TOP_MODULE, Bitstream, check_timing, make_bitstream
from hw.place.nextpnr import BITSTREAM
from hw.place.options import add_seed_option, check_tools, chosen_seeds
from hw.synthesis.netlist import Cell, Netlist, read_netlist
from hw.synthesis.resources import count_resources
from models.command import CommandParser, run_command
from models.errors import BuildError
from scripts.marked_text import rewrite_marked, table_rows

__all__ = ["main", "table", "unit_sites"]

_DOCUMENT = Path("docs/ulx3s.md")
_MARKS = "<!-- placed: written by scripts.experiments.place_board --record -->", "<!-- placed: end -->"
_SYSTEM = "system"
_WORST = 12  # units whose slowest path is told
_SMALL = 200  # LUTs: units with fewer are one line


def unit_sites(netlist: Netlist) -> dict[str, Resources]:
    """Sites by unit, most LUTs first: the parts of the core, and those beside it; small ones together as "others"."""
    cells: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in netlist.cells:
        names = (netlist.names.get(bit) for bits in cell.outputs.values() for bit in bits if bit is not None)
        cells[_unit(next(filter(None, names), cell.name))].append(cell)
    counted = {unit: count_resources(replace(netlist, cells=some)) for unit, some in cells.items()}
    small = [unit for unit, sites in counted.items() if sites.lut < _SMALL]
    found = {unit: sites for unit, sites in counted.items() if unit not in small}
    ranked = dict(sorted(found.items(), key=lambda one: -one[1].lut))
    return ranked | {"others": sum((counted[unit] for unit in small), Resources(0, 0, 0, 0, 0, 0))}


def _unit(name: str) -> str:
    """`system.core.vector.norm.x` lies in `core.vector`, `system.link.session.x` in `link`."""
    parts = name.split(".")
    if parts[0] != _SYSTEM or len(parts) < 3:
        return "top"
    return ".".join(parts[1:3]) if parts[1] == "core" and len(parts) > 3 else parts[1]


def table(seeds: dict[int, Bitstream | None], best: Bitstream, units: dict[str, Resources]) -> str:
    """All of it in Markdown. seeds: what came of each; None where the router found no way."""
    placed = best.placed
    memory = max(ns for pad, ns in placed.pads.items() if pad.startswith(MEMORY_PADS))
    total = units | {"all": sum(units.values(), Resources(0, 0, 0, 0, 0, 0))}
    return "\n".join([
        f"Yosys {best.run.yosys}, nextpnr {placed.nextpnr}. Seconds: placement, routing and packing, as many seeds at "
        "a time as there are cores.", "",
        *table_rows("seed | MHz | seconds | SHA-256 of the bitstream", (
            (seed, made.placed.clock_mhz, f"{made.placed.seconds:.0f}", f"`{_digest(made)}`") if made
            else (seed, "not routed", "", "") for seed, made in seeds.items())),
        f"Seed {placed.seed}, sites by nextpnr; at most {memory:.1f} ns between a register and a pad of the SDRAM:", "",
        *table_rows("site | used | of | %", (
            (name, f"{used:,}", f"{there:,}", f"{100 * used / there:.0f}")
            for name, (used, there) in sorted(placed.sites.items()) if there >= 100)),
        "Sites by unit, by Yosys:", "",
        *table_rows("unit | LUT4 | of them memory | flip-flops | MULT18X18D | DP16KD", (
            (unit, f"{sites.lut:,}", f"{sites.lutram:,}", f"{sites.ff:,}", sites.dsp, f"{2 * sites.bram36:g}")
            for unit, sites in total.items())),
        f"The slowest path into each unit, the {_WORST} slowest of {len(placed.by_unit())} units:", "",
        *table_rows("ends in | ns | of it wires | levels | begins in", (
            (unit.removeprefix(f"{_SYSTEM}.") or "top", f"{path.ns:.1f}", f"{path.wire_ns / path.ns:.0%}", path.levels,
             path.source.removeprefix(f"{_SYSTEM}.") or "top")
            for unit, path in list(placed.by_unit().items())[:_WORST])),
    ]).rstrip("\n")


def _digest(made: Bitstream) -> str:
    return hashlib.sha256((made.placed.folder / BITSTREAM).read_bytes()).hexdigest()[:16]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.place_board", description="A board placed and routed whole.")
    parser.add_argument("--board", choices=[name for name, board in BOARDS.items() if board.serial], default="ulx3s")
    add_seed_option(parser)
    parser.add_argument("--record", action="store_true", help=f"write the tables into {_DOCUMENT}")
    options = parser.parse_args(arguments)
    check_tools()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    build, board = BUILDS[options.board], BOARDS[options.board]
    verilog, _ = kept_verilog(build)
    seeds: dict[int, Bitstream | None] = {}
    for seed in chosen_seeds(options):
        try:
            seeds[seed] = make_bitstream(build, board, verilog, (seed,), say=say)
        except BuildError as error:
            say(str(error))
            seeds[seed] = None
    best = max(filter(None, seeds.values()), key=lambda made: made.placed.clock_mhz, default=None)
    if best is None:
        raise BuildError("no seed was routed")
    check_timing(best, build, board)
    text = table(seeds, best, unit_sites(read_netlist(best.run.netlist, TOP_MODULE)))
    print(text)
    if options.record:
        rewrite_marked(_DOCUMENT, *_MARKS, lambda old: text)


if __name__ == "__main__":
    run_command(main)
