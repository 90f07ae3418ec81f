"""What routing adds to counted levels: `python -m scripts.experiments.route_units [--unit memory] [--record]`.

Each engine of the accelerator, with the KV260's parameters as far as an LFE5U-85F holds them, is synthesised, placed
and routed alone by open tools, its pins folded into shift registers (`hw.place.folded`). Beside the routed delay of the
slowest path in each of its units stand the levels that `hw.synthesis.levels` counts, for the ECP5 and for UltraScale+.
Least squares over all paths say what a level takes, and what a net with many loads, a memory or a product takes beside
it: what counting does not see. No tool places an XCK26 here, so it is these in levels that are carried over to the
KV260 (`scripts.experiments.doubtful_paths`), not nanoseconds.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hw.boards.kv260.board import BOARD as KV260
from hw.boards.technology import ULTRASCALE_PLUS, Technology
from hw.boards.ulx3s.board import BOARD as ULX3S
from hw.place.folded import Folded
from hw.place.nextpnr import HEAP, SEEDS, Placed, Request, place
from hw.place.options import add_seed_option, chosen_seeds
from hw.stream.reset_tree import ResetTree
from hw.synthesis.levels import LogicLevels
from hw.synthesis.netlist import Netlist, read_netlist
from hw.synthesis.units import RESET_BY_TREE, UNITS
from hw.synthesis.yosys import synthesise
from hw.verilog import to_verilog
from models.command import CommandParser, run_command
from models.machine.build import BuildParameters
from scripts.experiments.routed_paths import MEETS, RoutedPath, costs, explained, routed_paths, unit_of
from scripts.marked_text import rewrite_marked, table_rows

__all__ = ["CHANGES", "Engine", "main", "route", "table"]

CHANGES: dict[str, dict[str, int]] = {
    "control": {},
    "memory": {},
    "head": {"ports": 1},
    "linear": {"ports": 1, "rows": 2, "row_batches": 1, "weight_buffer_steps": 1024, "accumulator_words": 1024,
               "inputs_max": 2048},
    "attention": {"ports": 1, "query_word": 4, "attention_pairs": 1, "rows": 2, "row_batches": 1, "context_max": 1024},
    "vector": {"lanes": 1, "rows": 4, "row_batches": 1, "inputs_max": 4096},
}
"""What of the KV260's build is smaller, engine by engine, so that each takes at most 40 % of the 85F's LUT sites."""

_AS_ON_KV260 = replace(ULX3S.technology, shallow_blocks=False, slow_wires=False)
_AIM_MHZ = 125.0
_DOCUMENT = Path("docs/measurements.md")
_MARKS = "<!-- routed units: written by scripts.experiments.route_units --record -->", "<!-- routed units: end -->"
_WORST = 40  # units in the table


@dataclass(frozen=True)
class Engine:
    """One engine, placed and routed. ecp5, ultrascale: the most counted levels, by unit."""

    placed: Placed
    paths: list[RoutedPath]
    ecp5: dict[str, float]
    ultrascale: dict[str, float]


def _build(engine: str) -> BuildParameters:
    return replace(KV260.build, name=ULX3S.name, **CHANGES[engine])


def _verilog(engine: str, technology: Technology) -> str:
    module, name = UNITS[engine]
    component = getattr(importlib.import_module(module), name)(_build(engine))
    if engine in RESET_BY_TREE:
        component = ResetTree(engine)(component)
    return to_verilog(Folded(component), technology, name=engine)


def _levels(netlist: Netlist) -> dict[str, float]:
    most: dict[str, float] = {}
    for name, levels in LogicLevels(netlist).by_unit().items():
        most[unit_of(name)] = max(levels, most.get(unit_of(name), 0))
    return most


def route(engine: str, seeds: Sequence[int] = SEEDS, say: Callable[[str], None] = lambda line: None) -> Engine:
    """An engine placed and routed, with its paths but for those to the harness, slowest first."""
    ecp5, ultrascale = (synthesise(_verilog(engine, technology), engine, technology, say=say).netlist
                        for technology in (_AS_ON_KV260, ULTRASCALE_PLUS))
    placed = place(Request(ecp5, ULX3S.device, _AIM_MHZ, placer=HEAP), seeds, say=say)
    placed_netlist, other = (read_netlist(netlist, engine) for netlist in (ecp5, ultrascale))
    return Engine(placed, routed_paths(engine, placed.paths, placed_netlist), _levels(placed_netlist), _levels(other))


def _slowest(paths: Iterable[RoutedPath]) -> list[RoutedPath]:
    """One of each unit."""
    found: dict[tuple[str, str], RoutedPath] = {}
    for path in sorted(paths, key=lambda path: -path.ns):
        found.setdefault((path.engine, path.unit), path)
    return list(found.values())


def _met(path: RoutedPath) -> str:
    return ", ".join(f"{count} x {what}" if count > 1 else what
                     for what, count in zip(MEETS, path.meets, strict=True) if count) or "-"


def table(engines: dict[str, Engine]) -> str:
    """All of it in Markdown: engines, what paths meet, the units farthest beyond their levels."""
    paths = [path for engine in engines.values() for path in engine.paths]
    found, (alone, together) = costs(paths), explained(paths)
    units = sorted(_slowest(paths), key=found.beyond, reverse=True)
    of_all = [(name, engine.placed, *engine.placed.sites["TRELLIS_COMB"]) for name, engine in engines.items()]
    return "\n".join([
        *table_rows("engine | unlike the KV260's | LUT sites | of the 85F's | routed, MHz | seed", (
            (name, ", ".join(f"{key} {value}" for key, value in CHANGES[name].items()) or "-", f"{used:,}",
             f"{used / there:.0%}", f"{placed.clock_mhz:.1f}", placed.seed) for name, placed, used, there in of_all)),
        f"{len(paths):,} paths: a line over their levels explains {alone:.0%} of their delays' variance, least squares "
        f"over all below {together:.0%}: {found.path:.2f} ns, {found.level:.2f} ns a level, and:", "",
        *table_rows("what a path meets | paths with it | each, ns | in levels", (
            (what, sum(path.meets[n] > 0 for path in paths), f"{ns:.1f}", f"{ns / found.level:.1f}")
            for n, (what, ns) in enumerate(zip(MEETS, found.meets, strict=True)))),
        f"The slowest path of a unit, farthest beyond its levels first; {len(units[:_WORST])} of {len(units)} units:",
        "",
        *table_rows("unit | levels counted, ECP5 | UltraScale+ | routed, ns | of it wires | its levels | most loads | "
               "it meets | beyond its levels, ns", (
            (f"{path.engine}.{path.unit}", engines[path.engine].ecp5.get(path.unit, 0),
             engines[path.engine].ultrascale.get(path.unit, 0), f"{path.ns:.1f}", f"{path.wires:.0%}", path.levels,
             path.loads, _met(path), f"{found.beyond(path):+.1f}") for path in units[:_WORST])),
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
    tables = table(engines)
    if options.json:
        print(json.dumps([asdict(path) for engine in engines.values() for path in engine.paths]))
    else:
        print(tables)
    if options.record:
        rewrite_marked(_DOCUMENT, *_MARKS, lambda old: tables)


if __name__ == "__main__":
    run_command(main)
