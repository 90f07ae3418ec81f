"""Paths of a routed design, out of the delays that nextpnr writes as SDF (IEEE 1497).

nextpnr's own report has one path a clock; here every register and memory pin has its worst one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise

__all__ = ["RoutedTiming", "TimedPath", "routed_timing"]

_CLOCK = re.compile(r"W?CLK\w*|WCK")
_LINE = re.compile(
    r"\((?:INTERCONNECT (?P<driver>\S+) (?P<load>\S+)|IOPATH (?P<into>\S+) (?P<out>\S+)"
    r"|SETUPHOLD \(posedge (?P<data>[^)]+)\) \(posedge [^)]+\)) \([\d.-]+:[\d.-]+:(?P<most>[\d.-]+)\)")
_CELL = re.compile(r'\((CELLTYPE|INSTANCE) "?([^)"]*)"?\)')
_ESCAPED = re.compile(r"\\(.)")
_MADE = re.compile(r"[\\_](?:TRELLIS|LUT4|CCU2C|PFUMX|L6MUX21|MULT18X18D|DP16KD)\w*|\$(?!\d+\.)\w+.*")
_PAD, _PAD_INPUTS, _PAD_OUTPUT = "TRELLIS_IO", ("I", "T"), "O"
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True)
class TimedPath:
    """From the clock edge at `start` to the next at `end`, setup included: cells by name, ns, and what of them wires
    take. levels: LUTs, carry chains, multiplexers and products between."""

    ns: float
    wire_ns: float
    levels: int
    start: str
    end: str
    through: tuple[str, ...]

    @property
    def unit(self) -> str:
        """The unit that its end lies in, "" for the top."""
        return _unit(self.end)

    @property
    def source(self) -> str:
        """The unit that its start lies in."""
        return _unit(self.start)

    def __str__(self) -> str:
        units = " -> ".join(dict.fromkeys(_unit(name) or "top" for name in (self.start, *self.through, self.end)))
        return (f"{self.ns:.2f} ns, {self.wire_ns / self.ns:.0%} of it wires, {self.levels} levels: "
                f"{_register(self.start)} -> {_register(self.end)} (by way of {units})")

    def to_json(self) -> dict[str, object]:
        """All of it, with the unit."""
        return asdict(self) | {"unit": self.unit}


def _register(name: str) -> str:
    """A cell's name in the source."""
    return _MADE.sub("", name)


def _unit(name: str) -> str:
    return _register(name).rpartition(".")[0]


@dataclass(frozen=True)
class RoutedTiming:
    """paths: the worst ones from register to register, worst first. pads: ns by pad, from a register to it or from it
    to a register, whichever takes longer; bits of ports and pads of the source by their names there."""

    paths: tuple[TimedPath, ...]
    pads: dict[str, float]


def routed_timing(sdf: Iterable[str], count: int) -> RoutedTiming:
    """Of the lines of an SDF file: `count` paths, one for all ends whose names differ in numbers alone, and the pads.
    """
    delays = _Delays(sdf)
    found: dict[str, TimedPath] = {}
    for ns, node in sorted(delays.ends(), reverse=True):
        if len(found) == count:
            break
        kind = _NUMBERS.sub("", _register(_cell(node)) or node)
        if kind not in found:
            found[kind] = delays.path(ns, node)
    return RoutedTiming(tuple(found.values()), delays.pads())


def _plain(name: str) -> str:
    return _ESCAPED.sub(r"\1", name)


def _cell(node: str) -> str:
    return node.rpartition("/")[0]


class _Delays:
    """Arrival of every pin, in ns behind the clock edge, and the pin before it. Pins are `cell/pin`."""

    def __init__(self, sdf: Iterable[str]) -> None:
        self._setup: list[tuple[str, float]] = []
        self._pads: list[str] = []
        self._after: dict[str, list[tuple[str, float]]] = {}
        self._sources: dict[str, int] = {}  # how many pins drive a pin
        starts: dict[str, float] = {}
        cell = kind = ""
        for line in sdf:
            arc = _LINE.search(line)
            if arc is None:
                named = _CELL.search(line)
                if named is not None and named[1] == "CELLTYPE":
                    kind = named[2]
                elif named is not None:
                    cell = _plain(named[2])
                    self._pads += [cell] * (kind == _PAD)
                continue
            ns = float(arc["most"]) / 1e3
            if arc["data"]:
                self._setup.append((f"{cell}/{arc['data']}", ns))
            elif arc["into"] and _CLOCK.fullmatch(arc["into"]):
                pin = f"{cell}/{arc['out']}"
                starts[pin] = max(ns, starts.get(pin, 0.0))
            else:
                driver, load = ((_plain(arc["driver"]), _plain(arc["load"])) if arc["driver"] else
                                (f"{cell}/{arc['into']}", f"{cell}/{arc['out']}"))
                if not _CLOCK.fullmatch(load.rpartition("/")[2]):
                    self._after.setdefault(driver, []).append((load, ns))
                    self._sources[load] = self._sources.get(load, 0) + 1
        self._arrival, self._before = self._propagated(starts)

    def _propagated(self, starts: dict[str, float]) -> tuple[dict[str, float], dict[str, str]]:
        """In topological order; pins that no start reaches get no arrival."""
        arrival, before, waiting = dict(starts), {}, dict(self._sources)
        ready = [pin for pin in self._after if not waiting.get(pin)]
        while ready:
            pin = ready.pop()
            for load, ns in self._after.get(pin, ()):
                if pin in arrival and arrival[pin] + ns > arrival.get(load, -1.0):
                    arrival[load], before[load] = arrival[pin] + ns, pin
                waiting[load] -= 1
                if not waiting[load]:
                    ready.append(load)
        return arrival, before

    def pads(self) -> dict[str, float]:
        """See `RoutedTiming`."""
        found = {cell: max(self._arrival.get(f"{cell}/{pin}", 0.0) for pin in _PAD_INPUTS) for cell in self._pads}
        arrival, before = self._propagated({f"{cell}/{_PAD_OUTPUT}": 0.0 for cell in self._pads})
        for pin, setup in self._setup:
            if pin in arrival:
                first = pin
                while first in before:
                    first = before[first]
                found[_cell(first)] = max(found[_cell(first)], arrival[pin] + setup)
        return {_MADE.sub("", cell): round(ns, 3) for cell, ns in found.items() if ns}

    def ends(self) -> list[tuple[float, str]]:
        """Arrival with setup, and pin."""
        return [(self._arrival[pin] + ns, pin) for pin, ns in self._setup if pin in self._arrival]

    def path(self, ns: float, end: str) -> TimedPath:
        """The worst one to a pin."""
        pins = [end]
        while pins[-1] in self._before:
            pins.append(self._before[pins[-1]])
        pins.reverse()
        wires = sum(self._arrival[load] - self._arrival[pin] for pin, load in pairwise(pins)
                    if _cell(pin) != _cell(load))
        cells = list(dict.fromkeys(map(_cell, pins)))
        return TimedPath(round(ns, 3), round(wires, 3), _levels(pins), cells[0], _cell(end),
                         tuple(cell for cell in cells[1:] if cell != _cell(end)))


def _levels(pins: list[str]) -> int:
    """Cells on the way; a carry chain is one, whatever its length."""
    crossed = {}
    for pin, load in pairwise(pins):
        if _cell(pin) == _cell(load):
            crossed[_cell(pin)] = not load.endswith("/FCO")
    return sum(crossed.values())
