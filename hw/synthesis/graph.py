"""What depends on what without a clock edge between: the graph that levels of logic are counted in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from hw.synthesis.carry import carry_bits
from hw.synthesis.netlist import Bit, Cell, Netlist
from hw.synthesis.primitives import Kind, kind_of, read_address_pins, reads_only

__all__ = ["End", "Graph"]


class End(NamedTuple):
    """Where paths end: a bit on a pin of a clocked cell, or on an output port of the module (`cell` is None)."""

    bit: Bit
    pin: str
    cell: Cell | None


class Graph:
    """Nodes are the bits that unclocked cells drive, and the carries inside carry chains.

    `before`: of each node, the bits and nodes it depends on, constants left out; a bit that is no node is the start
    of paths. `weight`: 1 where a level of logic is complete, else 0. `driver`: the cell that drives a node or bit.
    `ends`: all ends of paths. `loads`: the number of pins on each bit.

    A carry of a chain depends on the carry before it and the chain's inputs at its own bit; it weighs nothing. A
    chain's outputs weigh one. So a chain of any length is one level, and bits above an output do not count towards it.
    Chains go from the last carry of a cell to the next one's first; any other way from chain to chain leads through the
    fabric.
    """

    def __init__(self, netlist: Netlist) -> None:
        self.before: dict[int, list[int]] = {}
        self.weight: dict[int, int] = {}
        self.driver: dict[int, Cell] = {}
        self.ends: list[End] = []
        self.loads: Counter[Bit] = Counter()
        carries = []
        for cell in netlist.cells:
            kind = kind_of(cell.type)
            if kind is Kind.NOTE:
                continue
            self.loads.update(_bits(cell.inputs))
            self.driver.update(dict.fromkeys(_bits(cell.outputs), cell))
            if kind in (Kind.LUT, Kind.MUX, Kind.BUFFER):
                for bit in _bits(cell.outputs):
                    self._add_node(bit, int(kind is Kind.LUT), _bits(cell.inputs))
            elif kind is Kind.LUTRAM:
                self._add_lutram(cell)
            elif kind is Kind.CARRY:
                carries.append(cell)
            else:
                self._add_ends(cell, cell.inputs)
        self._add_carries(carries, 1 + max([*self.driver, *self.loads, *_bits(netlist.inputs)], default=0))
        for name, bits in netlist.outputs.items():
            self._add_ends(None, {name: bits})

    def _add_node(self, node: int, weight: int, before: Iterable[int | None]) -> None:
        self.weight[node] = weight
        self.before[node] = [source for source in before if source is not None]

    def _add_ends(self, cell: Cell | None, pins: dict[str, list[Bit | None]]) -> None:
        for pin, bits in pins.items():
            self.ends += [End(bit, f"{pin}[{index}]" if len(bits) > 1 else pin, cell)
                          for index, bit in enumerate(bits) if bit is not None]

    def _add_lutram(self, cell: Cell) -> None:
        self._add_ends(cell, {pin: bits for pin, bits in cell.inputs.items() if not reads_only(cell.type, pin)})
        for pin, bits in cell.outputs.items():
            address = read_address_pins(tuple(cell.inputs), pin)
            for bit in bits:
                if bit is not None and address:
                    self._add_node(bit, 1, _bits({name: cell.inputs[name] for name in address}))

    def _add_carries(self, cells: list[Cell], node: int) -> None:
        """`node`: the first number that is no bit."""
        carries: list[range] = []  # of each cell: the carry into its bit 0, 1, .. and the one it hands on
        handed_on: dict[Bit, int] = {}  # the last carry-out of a cell -> its node
        for cell in cells:
            chained = carry_bits(cell)
            carries.append(range(node, node + len(chained) + 1))
            node = carries[-1].stop
            self.driver.update(dict.fromkeys(carries[-1], cell))
            last = chained[-1].carry
            if last is not None:
                handed_on[last] = carries[-1][-1]
        for cell, carry in zip(cells, carries, strict=True):
            entering = [handed_on.get(bit, bit) for pin in ("CI", "CIN") for bit in cell.inputs.get(pin, ())]
            self._add_node(carry[0], 0, [*entering, *cell.inputs.get("CYINIT", ())])
            for index, (to_carry, to_sum, total, carry_out) in enumerate(carry_bits(cell)):
                self._add_node(carry[index + 1], 0, [carry[index], *to_carry])
                for bit, before in ((total, [carry[index], *to_sum]), (carry_out, [carry[index + 1]])):
                    if bit is not None:
                        self._add_node(bit, 1, before)


def _bits(pins: dict[str, list[Bit | None]]) -> list[Bit]:
    return [bit for bits in pins.values() for bit in bits if bit is not None]
