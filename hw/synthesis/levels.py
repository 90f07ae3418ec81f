"""Levels of logic: the longest ways from clock edge to clock edge through a mapped netlist."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from hw.synthesis.graph import End, Graph
from hw.synthesis.netlist import Cell, Netlist
from hw.synthesis.primitives import Kind, kind_of
from hw.synthesis.weights import COUNTED, SOME_LOADS, Weights

__all__ = ["LogicLevels", "Path", "Step"]


@dataclass(frozen=True)
class Step:
    """One level of a path: its cells, and the net they drive, by name (empty if it has none) and fan-out."""

    cells: str
    net: str
    loads: int

    def __str__(self) -> str:
        return " ".join(filter(None, (self.cells, self.net, _fan_out(self.loads))))


@dataclass(frozen=True)
class Path:
    """A path from a register, memory or port to the next; `loads`: the fan-out of its first net. weighed: its levels
    with what else weighs."""

    levels: int
    weighed: float
    start: str
    loads: int
    steps: tuple[Step, ...]
    end: str

    def __str__(self) -> str:
        start = " ".join(filter(None, (self.start, _fan_out(self.loads))))
        return " -> ".join([start, *map(str, self.steps), self.end])


def _fan_out(loads: int) -> str:
    return f"({loads} loads)" if loads >= SOME_LOADS else ""


class LogicLevels:
    """The levels of a netlist's paths.

    Rules. A LUT or inverter is one level. So is a read of distributed RAM or of a shift register, address to data. A
    carry chain, all CARRY4 or CARRY8 cells joined CO to CI, is one level from any of its inputs to any of its outputs.
    MUXF7, F8 and F9 belong to the LUTs before them, buffers to their nets: none. Paths start and end at flip-flops,
    block RAM, UltraRAM, DSPs (all as if registered inside; `resources.late_products` names those that are not) and
    the module's ports, and they end at the write pins of distributed RAM. Every pin counts, clock enables and
    resets as well. Constants start no path.

    `worst`: levels of the longest path, 0 where registers follow each other directly. `loop`: names around one
    combinational loop, empty if there is none; a netlist with a loop has no levels, and `worst` is None.

    With `weights` a path is as long as its levels and these together, wherever the longest are asked for.
    """

    def __init__(self, netlist: Netlist, weights: Weights = COUNTED) -> None:
        self._names, self._weights = netlist.names, weights
        self._graph = Graph(netlist)
        self._level: dict[int, float] = {}
        self._count()
        self.loop = self._find_loop()
        self.worst = None if self.loop else max(self.histogram(), default=0)

    def histogram(self) -> dict[float, int]:
        """Number of path ends, bit by bit, by the most levels before them."""
        return dict(sorted(Counter(self._levels_to(end) for end in self._graph.ends).items()))

    def by_unit(self) -> dict[str, float]:
        """The most levels before an end in each unit, by the unit's name in the hierarchy; "" for the top's own."""
        most: dict[str, float] = {}
        for end in self._graph.ends:
            unit = re.split(r"[/\\]", self._end_name(end))[0].rpartition(".")[0]
            most[unit] = max(self._levels_to(end), most.get(unit, 0))
        return most

    def paths(self, count: int) -> list[Path]:
        """The longest paths, longest first, one from each register to each unit; names but for numbers are one."""
        if self.loop:
            return []
        paths, kinds = [], set()
        for end in sorted(self._graph.ends, key=self._levels_to, reverse=True):
            if len(paths) == count:
                break
            path = self._path(end)
            kind = tuple(re.sub(r"\d+", "", name) for name in (path.start, path.end.rpartition(".")[0]))
            if kind not in kinds:
                kinds.add(kind)
                paths.append(path)
        return paths

    def _levels_to(self, end: End) -> float:
        return self._before(end.bit) + self._weights.end(end.cell)

    def _before(self, bit: int) -> float:
        """Levels up to the loads of a net."""
        first = self._level.get(bit)
        start = self._weights.start(self._graph.driver.get(bit)) if first is None else first
        return start + self._weights.net(self._graph.loads[bit])

    def _count(self) -> None:
        """Of every node that no loop feeds, in topological order; -1 for a carry that is constant."""
        before, driver = self._graph.before, self._graph.driver
        waiting, after = {}, {}
        for node, sources in before.items():
            nodes = [source for source in sources if source in before]
            waiting[node] = len(nodes)
            for source in nodes:
                after.setdefault(source, []).append(node)
        ready = [node for node, count in waiting.items() if not count]
        while ready:
            node = ready.pop()
            most = max(map(self._before, before[node]), default=-1)
            extra = self._weights.passed(driver[node]) if node in driver else 0
            self._level[node] = most + self._graph.weight[node] + extra
            for user in after.get(node, ()):
                waiting[user] -= 1
                if not waiting[user]:
                    ready.append(user)

    def _find_loop(self) -> tuple[str, ...]:
        """Names of nodes around a loop, in the direction of the signals."""
        before = self._graph.before
        node = next((node for node in before if node not in self._level), None)
        if node is None:
            return ()
        seen: dict[int, None] = {}
        while node not in seen:
            seen[node] = None
            node = next(source for source in before[node] if source in before and source not in self._level)
        back = list(seen)
        around = back[back.index(node):][::-1]
        return tuple(dict.fromkeys(self._names.get(node) or self._graph.driver[node].name for node in around))

    def _path(self, end: End) -> Path:
        graph, node = self._graph, end.bit
        nodes = []  # from the end back to the start
        while graph.before.get(node):
            nodes.append(node)
            node = max(graph.before[node], key=self._before)
        steps: list[Step] = []
        chain: list[Cell] = []  # cells of a carry chain that is not left yet
        for passed in reversed(nodes):
            cell, net, loads = graph.driver[passed], self._names.get(passed, ""), graph.loads[passed]
            if kind_of(cell.type) is Kind.CARRY:
                if cell not in chain[-1:]:
                    chain.append(cell)
                if graph.weight[passed]:
                    steps.append(Step(cell.type + (f" x {len(chain)}" if len(chain) > 1 else ""), net, loads))
                    chain = []
            elif graph.weight[passed] or not steps:
                steps.append(Step(cell.type, net, loads))
            else:
                steps[-1] = Step(f"{steps[-1].cells} + {cell.type}", net, loads)
        return Path(sum(graph.weight[passed] for passed in nodes), self._levels_to(end), self._start_name(node),
                    graph.loads[node], tuple(steps), self._end_name(end))

    def _start_name(self, bit: int) -> str:
        cell = self._graph.driver.get(bit)
        if cell is None or kind_of(cell.type) is Kind.REGISTER:
            return self._names.get(bit) or (cell.name if cell else "constant")
        pin = next((f"{pin}[{bits.index(bit)}]" if len(bits) > 1 else pin
                    for pin, bits in cell.outputs.items() if bit in bits), "constant")
        return f"{self._cell_name(cell)}/{pin} ({cell.type})"

    def _end_name(self, end: End) -> str:
        return f"{self._cell_name(end.cell)}/{end.pin} ({end.cell.type})" if end.cell else end.pin

    def _cell_name(self, cell: Cell) -> str:
        """A register is called what it drives; so is a cell that only Yosys has a name for."""
        if cell.hidden or kind_of(cell.type) is Kind.REGISTER:
            driven = (bit for bits in cell.outputs.values() for bit in bits if bit is not None)
            return next((self._names[bit] for bit in driven if bit in self._names), cell.name)
        return cell.name
