"""What routing adds to counted levels: `python -m scripts.experiments.route_units [--unit memory] [--record]`.

Each engine of the accelerator, with the KV260's parameters as far as an LFE5U-85F holds them, is synthesised, placed
and routed alone by open tools, its pins folded into shift registers (`hw.place.folded`). Beside the routed delay of the
slowest path in each of its units stand the levels that `hw.synthesis.levels` counts, for the ECP5 and for UltraScale+.
A straight line through the paths that meet LUTs and short nets alone says what a level costs. What a path takes beyond
it is what counting does not see: distance, fan-out, the pins of memories and products. No tool places an XCK26 here, so
that excess is what can be carried over to the KV260, not nanoseconds.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, median

import numpy as np

from hw.boards.kv260.board import BOARD as KV260
from hw.boards.technology import ULTRASCALE_PLUS, Technology
from hw.boards.ulx3s.board import BOARD as ULX3S
from hw.place.folded import FOLDED, Folded
from hw.place.nextpnr import SEEDS, Placed, Request, place
from hw.place.options import add_seed_option, chosen_seeds
from hw.place.timing import TimedPath
from hw.stream.reset_tree import ResetTree
from hw.synthesis.graph import Graph
from hw.synthesis.levels import LogicLevels
from hw.synthesis.netlist import Netlist, read_netlist
from hw.synthesis.primitives import Kind, kind_of
from hw.synthesis.units import RESET_BY_TREE, UNITS
from hw.synthesis.yosys import synthesise
from hw.verilog import to_verilog
from models.command import CommandParser, run_command
from models.machine.build import BuildParameters
from scripts.marked_text import rewrite_marked

__all__ = ["CHANGES", "Engine", "RoutedPath", "main", "route", "table"]

CHANGES: dict[str, dict[str, int]] = {
    "control": {},
    "memory": {},
    "head": {"ports": 1},
    "linear": {"ports": 1, "rows": 2, "row_batches": 1, "weight_buffer_steps": 1024, "accumulator_words": 1024,
               "inputs_max": 2048},
    "attention": {"ports": 1, "query_word": 4, "attention_pairs": 2, "rows": 2, "row_batches": 1, "context_max": 1024},
    "vector": {"lanes": 1, "rows": 4, "row_batches": 1, "inputs_max": 4096},
}
"""What of the KV260's build is smaller, engine by engine, so that each takes at most 40 % of the 85F's LUT sites."""

_AIM_MHZ = 125.0
_DOCUMENT = Path("docs/measurements.md")
_MARKS = "<!-- routed units: written by scripts.experiments.route_units --record -->", "<!-- routed units: end -->"
_INSIDE = re.compile(rf"{FOLDED}(?:\$\d+)?(?:\.([^.$]*).*)?")  # numbered where a port is called so, too
_OWN, _PORTS = "(own)", "(ports)"  # what lies in an engine itself; what is called like a port, or registers one
_HARNESS = ("shifted", "leaving")  # registers of `Folded` that stand for no neighbour's
_MANY = 32  # loads of a net from which on it is no short one
_PLAIN, _FAN_OUT, _READ, _WRITE, _BLOCK, _PRODUCT = _MEETS = (
    f"LUTs, nets under {_MANY} loads", f"LUTs, a net of {_MANY} loads or more", "distributed RAM, read",
    "distributed RAM, written", "block RAM", "product")
_WORST = 40  # units in the table


@dataclass(frozen=True)
class RoutedPath:
    """The slowest path to registers of one name. levels: those it goes through. loads: the most that a net on its way
    has. meets: what else costs, the last of `_MEETS` that it does. excess_ns: beyond what its levels cost elsewhere."""

    engine: str
    unit: str
    ns: float
    wires: float
    levels: int
    loads: int
    meets: str
    start: str
    end: str
    excess_ns: float = 0.0


@dataclass(frozen=True)
class Engine:
    """One engine, placed and routed. ecp5, ultrascale: the most counted levels, by unit."""

    placed: Placed
    paths: list[RoutedPath]
    ecp5: dict[str, int]
    ultrascale: dict[str, int]


def _build(engine: str) -> BuildParameters:
    return replace(KV260.build, name=ULX3S.name, **CHANGES[engine])


def _verilog(engine: str, technology: Technology) -> str:
    module, name = UNITS[engine]
    component = getattr(importlib.import_module(module), name)(_build(engine))
    if engine in RESET_BY_TREE:
        component = ResetTree(engine)(component)
    return to_verilog(Folded(component), technology, name=engine)


def _unit(hierarchy: str) -> str:
    """The unit right below an engine, equal ones under one name."""
    inside = _INSIDE.fullmatch(hierarchy)
    return _PORTS if inside is None else re.sub(r"(_?\d+)+$", "", inside[1] or "") or _OWN


def _levels(netlist: Netlist) -> dict[str, int]:
    most: dict[str, int] = {}
    for name, levels in LogicLevels(netlist).by_unit().items():
        most[_unit(name)] = max(levels, most.get(_unit(name), 0))
    return most


def _cells(netlist: Netlist) -> dict[str, tuple[Kind, int]]:
    """Kind of each cell, and the most loads of a net that it drives; of a LUT, of a multiplexer behind it, which
    nextpnr makes one with it."""
    loads = Graph(netlist).loads
    for _ in range(2):  # PFUMX, and L6MUX21 behind it
        for cell in netlist.cells:
            if kind_of(cell.type) is Kind.MUX:
                most = _most(loads, cell.outputs)
                for pin, (bit,) in cell.inputs.items():
                    if pin not in ("C0", "SD"):  # which choose
                        loads[bit] = max(loads[bit], most)
    return {cell.name: (kind_of(cell.type), _most(loads, cell.outputs)) for cell in netlist.cells}


def _most(loads: Counter, pins: dict[str, list[int | None]]) -> int:
    return max((loads[bit] for bits in pins.values() for bit in bits), default=0)


def _routed(engine: str, path: TimedPath, cells: dict[str, tuple[Kind, int]]) -> RoutedPath:
    def cell(name: str) -> tuple[Kind, int]:
        if name.startswith("$nextpnr_"):  # it leads into a carry chain
            return Kind.CARRY, 0
        return cells[name if name in cells else name.rpartition("$")[0]]  # of split memories and chains

    end, _ = cell(path.end)
    before = [cell(name) for name in (path.start, *path.through)]
    kinds, loads = {kind for kind, _ in before}, max(count for _, count in before)
    meets = (_PRODUCT if Kind.DSP in kinds | {end} else
             _BLOCK if Kind.BRAM in kinds | {end} else
             _WRITE if end is Kind.LUTRAM else
             _READ if Kind.LUTRAM in kinds else
             _FAN_OUT if loads >= _MANY else _PLAIN)
    return RoutedPath(engine, _unit(path.unit), path.ns, path.wire_ns / path.ns, path.levels, loads, meets, path.start,
                      path.end)


def route(engine: str, seeds: Sequence[int] = SEEDS, say: Callable[[str], None] = lambda line: None) -> Engine:
    """An engine placed and routed, with its paths but for those to the harness, slowest first."""
    ecp5, ultrascale = (synthesise(_verilog(engine, technology), engine, technology, say=say).netlist
                        for technology in (ULX3S.technology, ULTRASCALE_PLUS))
    placed = place(Request(ecp5, ULX3S.device, _AIM_MHZ), seeds, say=say)
    netlist = read_netlist(ecp5, engine)
    cells = _cells(netlist)
    paths = [_routed(engine, path, cells) for path in placed.paths if not path.end.startswith(_HARNESS)]
    return Engine(placed, paths, _levels(netlist), _levels(read_netlist(ultrascale, engine)))


def _with_excess(paths: Sequence[RoutedPath]) -> tuple[list[RoutedPath], float, float]:
    """Paths with their excess; of the line through the plain ones by least squares, ns without a level and ns a level.
    """
    plain = [path for path in paths if path.meets == _PLAIN]
    slope, start = np.polyfit([path.levels for path in plain], [path.ns for path in plain], 1)
    return [replace(path, excess_ns=path.ns - start - slope * path.levels) for path in paths], start, slope


def _rows(header: str, rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return [f"| {header} |", f"|{' --- |' * (header.count('|') + 1)}", *lines, ""]


def _slowest(paths: Iterable[RoutedPath]) -> list[RoutedPath]:
    """One of each unit."""
    found: dict[tuple[str, str], RoutedPath] = {}
    for path in sorted(paths, key=lambda path: -path.ns):
        found.setdefault((path.engine, path.unit), path)
    return list(found.values())


def table(engines: dict[str, Engine]) -> str:
    """All of it in Markdown: engines, what paths meet, the worst units."""
    told, start, slope = _with_excess([path for engine in engines.values() for path in engine.paths])
    units = sorted(_slowest(told), key=lambda path: -path.excess_ns)
    met = {what: [path for path in told if path.meets == what] for what in _MEETS}
    return "\n".join([
        *_rows("engine | unlike the KV260's | LUT sites | of the 85F's | routed, MHz | seed", (
            (name, ", ".join(f"{key} {value}" for key, value in CHANGES[name].items()) or "-", f"{used:,}",
             f"{used / all_of_them:.0%}", f"{placed.clock_mhz:.1f}", placed.seed)
            for name, placed in ((name, engine.placed) for name, engine in engines.items())
            for used, all_of_them in (placed.sites["TRELLIS_COMB"],))),
        f"The line, through {len(met[_PLAIN]):,} paths of LUTs and short nets: {start:.2f} ns, and {slope:.2f} ns a "
        "level. Means by what a path meets:", "",
        *_rows("meets | paths | levels | ns | of it wires | loads, median | beyond the line, ns", (
            (what, f"{len(paths):,}", f"{fmean(path.levels for path in paths):.1f}",
             f"{fmean(path.ns for path in paths):.1f}", f"{fmean(path.wires for path in paths):.0%}",
             f"{median(path.loads for path in paths):.0f}", f"{fmean(path.excess_ns for path in paths):+.1f}")
            for what, paths in met.items() if paths)),
        f"The slowest path of a unit, farthest beyond the line first, {len(units[:_WORST])} of {len(units)} units:", "",
        *_rows("unit | levels counted, ECP5 | UltraScale+ | routed, ns | of it wires | its levels | loads | meets | "
               "beyond the line, ns", (
            (f"{path.engine}.{path.unit}", engines[path.engine].ecp5.get(path.unit, 0),
             engines[path.engine].ultrascale.get(path.unit, 0), f"{path.ns:.1f}", f"{path.wires:.0%}", path.levels,
             path.loads, path.meets, f"{path.excess_ns:+.1f}") for path in units[:_WORST])),
    ]).rstrip("\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.route_units", description="Engines placed and routed alone.")
    parser.add_argument("--unit", choices=CHANGES, action="append", help="this engine alone; may be repeated")
    add_seed_option(parser)
    parser.add_argument("--json", action="store_true", help="the paths as one JSON object on standard output")
    parser.add_argument("--record", action="store_true", help=f"write the tables into {_DOCUMENT}")
    options = parser.parse_args(arguments)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    engines = {name: route(name, chosen_seeds(options), say) for name in options.unit or CHANGES}
    if options.json:
        print(json.dumps([asdict(path) for path in _with_excess(
            [path for engine in engines.values() for path in engine.paths])[0]]))
    else:
        print(table(engines))
    if options.record:
        rewrite_marked(_DOCUMENT, *_MARKS, lambda old: table(engines))


if __name__ == "__main__":
    run_command(main)
