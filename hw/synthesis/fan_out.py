"""Fan-out: how many pins each net of a mapped netlist reaches, and what drives it."""

from __future__ import annotations

import enum
import re
from collections import Counter
from dataclasses import dataclass

from hw.synthesis.netlist import Bit, Cell, Netlist
from hw.synthesis.primitives import Kind, kind_of

__all__ = ["Driver", "FanOut", "Net", "Pin"]


class Driver(enum.Enum):
    """What drives a net, as far as it matters for its wires."""

    LUT = "lut"  # all unclocked logic: it has no time left for long wires, and tools copy it badly
    REGISTER = "register"
    OTHER = "other"  # a port, block RAM, UltraRAM or DSP

    @property
    def what(self) -> str:
        """In words."""
        return {"lut": "LUT", "register": "register", "other": "port, memory or DSP"}[self.value]


class Pin(enum.Enum):
    """What a pin that a net reaches is for."""

    RESET = "reset"
    ENABLE = "enable"
    ADDRESS = "address"  # of distributed RAM, block RAM or UltraRAM
    DATA = "data"  # of registers, memories and DSPs
    LOGIC = "logic"  # LUTs, multiplexers and carry chains
    CLOCK = "clock"


_DRIVERS = {Kind.REGISTER: Driver.REGISTER, **dict.fromkeys((Kind.DSP, Kind.BRAM, Kind.URAM), Driver.OTHER)}
_NEAR = 8  # loads of a net, and cells behind each other, that are looked at for a name
_LOGIC = (Kind.LUT, Kind.MUX, Kind.CARRY)
_PINS = {
    Pin.CLOCK: re.compile(r"C|G|W?CLK.*|WCK"),
    Pin.RESET: re.compile(r"R|S|CLR|PRE|RST.*|LSR"),
    Pin.ENABLE: re.compile(r"CE.*|.*WE.*|EN.*|RDB_WR.*|REG?CE.*|OCE.*|OREG_.*CE.*|SLEEP"),
    Pin.ADDRESS: re.compile(r"A\d|ADDR.*|DPRA.*|AD[AB]\d+|[WR]AD"),
}


@dataclass(frozen=True)
class Net:
    """A net: its name in the whole design, its driver's kind and cell, its loads by kind of pin, one load by name."""

    name: str
    driver: Driver
    cell: str
    pins: dict[Pin, int]
    load: str

    @property
    def loads(self) -> int:
        """How many pins it reaches."""
        return sum(self.pins.values())

    def __str__(self) -> str:
        pins = ", ".join(f"{count} {pin.value}" for pin, count in sorted(
            self.pins.items(), key=lambda pair: -pair[1]))
        return f"{self.loads} loads: {self.name} ({self.cell}), {pins}, such as {self.load}"

    def to_json(self) -> dict[str, object]:
        """Names and counts."""
        return {"name": self.name, "driver": self.driver.value, "loads": self.loads,
                "pins": {pin.value: count for pin, count in self.pins.items()}}


class FanOut:
    """The nets of a netlist by their loads.

    Every pin that a net reaches is a load, but clocks; several bits of one cell are several. Ports of the module are
    none. A net that only Yosys has a name for is called what the nearest named net behind it is, with `->` before that.
    """

    def __init__(self, netlist: Netlist) -> None:
        self._names = netlist.names
        self._driver: dict[Bit, Cell] = {}
        self._pins: dict[Bit, Counter[Pin]] = {}
        self._loads: dict[Bit, list[Cell]] = {}  # the first few
        for cell in netlist.cells:
            kind = kind_of(cell.type)
            if kind is Kind.NOTE:
                continue
            for bits in cell.outputs.values():
                self._driver.update((bit, cell) for bit in bits if bit is not None)
            for pin, bits in cell.inputs.items():
                use = _use(kind, pin)
                for bit in bits:
                    if bit is not None and use is not Pin.CLOCK:
                        self._pins.setdefault(bit, Counter())[use] += 1
                        loads = self._loads.setdefault(bit, [])
                        if len(loads) < _NEAR:
                            loads.append(cell)
        self._ranked: dict[Driver, list[Bit]] = {driver: [] for driver in Driver}
        for bit in sorted(self._pins, key=lambda bit: -self._pins[bit].total()):
            self._ranked[self._kind(bit)].append(bit)

    def worst(self, driver: Driver) -> int:
        """The most loads behind a driver of that kind; 0 where there is none."""
        return next((self._pins[bit].total() for bit in self._ranked[driver]), 0)

    def nets(self, driver: Driver, count: int) -> list[Net]:
        """The nets with the most loads behind that kind, most first; of those whose names differ in numbers alone, one.
        """
        found: dict[str, Net] = {}
        for bit in self._ranked[driver]:
            if len(found) == count:
                break
            net = self._net(bit)
            found.setdefault(re.sub(r"\d+", "", net.name), net)
        return list(found.values())

    def _kind(self, bit: Bit) -> Driver:
        cell = self._driver.get(bit)
        return Driver.OTHER if cell is None else _DRIVERS.get(kind_of(cell.type), Driver.LUT)

    def _net(self, bit: Bit) -> Net:
        cell = self._driver.get(bit)
        return Net(self._name(bit), self._kind(bit), cell.type if cell else "port", dict(self._pins[bit]),
                   self._behind(bit))

    def _name(self, bit: Bit) -> str:
        cell = self._driver.get(bit)
        own = self._names.get(bit) or (_named(cell) if cell is not None else "")
        return own or f"-> {self._behind(bit)}"

    def _behind(self, bit: Bit) -> str:
        """The nearest named net or cell that this net leads to, if it is near; else the first load's own name."""
        cells, seen = self._loads[bit], set()
        for _ in range(_NEAR):
            further = []
            for cell in cells:
                driven = [out for bits in cell.outputs.values() for out in bits if out is not None]
                name = next((self._names[out] for out in driven if out in self._names), None) or _named(cell)
                if name:
                    return name
                further += [load for out in driven if out not in seen for load in self._loads.get(out, ())]
                seen.update(driven)
            cells = further
        return self._loads[bit][0].name


def _named(cell: Cell) -> str:
    """A cell's name in the source, which a register has from what it drives; empty if it has none."""
    return "" if cell.hidden or "$" in cell.name else cell.name.partition("\\")[0]


def _use(kind: Kind, pin: str) -> Pin:
    if kind in _LOGIC:
        return Pin.LOGIC
    if kind is Kind.LUTRAM and pin in ("A", "DPRA"):
        return Pin.ADDRESS
    for use, pattern in _PINS.items():
        if pattern.fullmatch(pin) and not (kind is Kind.DSP and use is Pin.ADDRESS):
            return use
    return Pin.DATA
