"""Paths of an engine that was placed alone: its units, what they meet on their way, and what that costs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hw.place.folded import FOLDED
from hw.place.timing import TimedPath
from hw.synthesis.graph import Graph
from hw.synthesis.netlist import Netlist
from hw.synthesis.primitives import Kind, kind_of
from hw.synthesis.weights import MANY_LOADS, SOME_LOADS, Weights

__all__ = ["MEETS", "Costs", "RoutedPath", "costs", "explained", "routed_paths", "unit_of"]

MEETS = (f"a net of {SOME_LOADS} to {MANY_LOADS - 1} loads", f"a net of {MANY_LOADS} loads or more",
         "distributed RAM, read", "distributed RAM, written", "block RAM", "product")
"""What a path meets beside its levels."""

_INSIDE = re.compile(rf"{FOLDED}(?:\$\d+)?(?:\.([^.$]*).*)?")  # numbered where a port is called so, too
_OWN, _PORTS = "(own)", "(ports)"
_HARNESS = ("shifted", "leaving")  # registers of `Folded` that stand for no neighbour's


@dataclass(frozen=True)
class RoutedPath:
    """The slowest path to registers of one name. levels: those it goes through. loads: the most that a net on its way
    has. meets: how many it meets of each of `MEETS`."""

    engine: str
    unit: str
    ns: float
    wires: float
    levels: int
    loads: int
    meets: tuple[int, ...]
    start: str
    end: str


@dataclass(frozen=True)
class Costs:
    """ns of a path without levels, of a level, and of each of `MEETS`."""

    path: float
    level: float
    meets: tuple[float, ...]

    def beyond(self, path: RoutedPath) -> float:
        """What a path takes beyond its levels, in ns."""
        return path.ns - self.path - self.level * path.levels

    @property
    def weights(self) -> Weights:
        """In levels; products are not among them."""
        return Weights(*(max(0.0, ns / self.level) for ns in self.meets[:-1]))


def unit_of(hierarchy: str) -> str:
    """The unit right below an engine that a place in the folded one lies in, equal ones under one name; "(own)" of the
    engine's own, "(ports)" of what has its name from a port."""
    inside = _INSIDE.fullmatch(hierarchy)
    return _PORTS if inside is None else re.sub(r"(_?\d+)+$", "", inside[1] or "") or _OWN


def routed_paths(engine: str, paths: Sequence[TimedPath], netlist: Netlist) -> list[RoutedPath]:
    """Those of a folded engine's (`hw.place.folded`) routed paths that end in it. netlist: what was placed."""
    cells = _cells(netlist)
    return [_routed(engine, path, cells) for path in paths if not path.end.startswith(_HARNESS)]


def _cells(netlist: Netlist) -> dict[str, tuple[Kind, int]]:
    """Kind of each cell, and the most loads of a net that it drives. nextpnr has a multiplexer in the cell of a LUT
    before it: PFUMX in that of BLUT, L6MUX21 in that of ALUT of D1's PFUMX."""
    loads = Graph(netlist).loads
    first: dict[int | None, int | None] = {}
    for kind, pin in (("PFUMX", "BLUT"), ("L6MUX21", "D1")):
        for cell in netlist.cells:
            if cell.type == kind:
                (out,), (bit,) = cell.outputs["Z"], cell.inputs[pin]
                held = first.get(bit, bit)
                loads[held] = max(loads[held], loads[out])
                if kind == "PFUMX":
                    (first[out],) = cell.inputs["ALUT"]
    return {cell.name: (kind_of(cell.type), max((loads[bit] for bits in cell.outputs.values() for bit in bits),
                                                default=0)) for cell in netlist.cells}


def _routed(engine: str, path: TimedPath, cells: dict[str, tuple[Kind, int]]) -> RoutedPath:
    def cell(name: str) -> tuple[Kind, int]:
        if name.startswith("$nextpnr_"):  # it leads into a carry chain
            return Kind.CARRY, 0
        return cells[name if name in cells else name.rpartition("$")[0]]  # of split memories and chains

    end, _ = cell(path.end)
    before = dict.fromkeys((path.start, *path.through))
    kinds, loads = zip(*map(cell, before), strict=True)
    some = sum(SOME_LOADS <= count < MANY_LOADS for count in loads)
    written = end is Kind.LUTRAM  # by way of a cell that holds nothing
    meets = (some, sum(count >= MANY_LOADS for count in loads), kinds.count(Kind.LUTRAM) if not written else 0,
             int(written), (*kinds, end).count(Kind.BRAM), (*kinds, end).count(Kind.DSP))
    return RoutedPath(engine, unit_of(path.unit), path.ns, path.wire_ns / path.ns, path.levels, max(loads), meets,
                      path.start, path.end)


def costs(paths: Sequence[RoutedPath]) -> Costs:
    """By least squares; 0 for what no path meets."""
    rows = [(1, path.levels, *path.meets) for path in paths]
    found = np.linalg.lstsq(np.array(rows, float), np.array([path.ns for path in paths]), rcond=None)[0]
    return Costs(found[0], found[1], tuple(found[2:]))


def explained(paths: Sequence[RoutedPath]) -> tuple[float, float]:
    """The share of the variance of paths' delays that a straight line over levels explains, and that `costs` do."""
    ns, found = np.array([path.ns for path in paths]), costs(paths)
    left = [found.beyond(path) - np.dot(found.meets, path.meets) for path in paths]
    return np.corrcoef([path.levels for path in paths], ns)[0, 1] ** 2, 1 - np.mean(np.square(left)) / ns.var()
