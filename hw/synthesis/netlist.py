"""A mapped netlist as Yosys' `write_json` has it: cells, the bits between them, and names for both."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cell", "Netlist", "read_netlist"]

Bit = int
"""A net of one bit. Constants are not among a pin's bits: no path starts at them."""


@dataclass(frozen=True)
class Cell:
    """One primitive. `inputs` and `outputs`: the bits on each pin, lowest first; None where a constant is."""

    name: str
    hidden: bool  # the name is Yosys' own
    type: str
    parameters: dict[str, str]
    inputs: dict[str, list[Bit | None]]
    outputs: dict[str, list[Bit | None]]


@dataclass(frozen=True)
class Netlist:
    """One flat module. `names`: the source's name of a bit, where it has one that survived the mapping."""

    cells: list[Cell]
    inputs: dict[str, list[Bit | None]]
    outputs: dict[str, list[Bit | None]]
    names: dict[Bit, str]


def read_netlist(path: Path, top: str, *, prefix: str = "") -> Netlist:
    """Read module `top` of a JSON netlist, gzipped where its name says so.

    `prefix` goes in front of every name: a unit that was synthesised alone is called what it is in the whole. Pins and
    ports of both directions are left out: what lies at them is outside the chip.
    """
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as file:
        module = json.load(file)["modules"][top]
    ports = {"input": {}, "output": {}, "inout": {}}
    for name, port in module["ports"].items():
        ports[port["direction"]][prefix + name] = _bits(port["bits"])
    cells = []
    for name, cell in module["cells"].items():
        pins = {"input": {}, "output": {}, "inout": {}}
        for pin, bits in cell["connections"].items():
            pins[cell["port_directions"][pin]][pin] = _bits(bits)
        cells.append(Cell(prefix + _readable(name), bool(cell["hide_name"]), cell["type"], cell.get("parameters", {}),
                          pins["input"], pins["output"]))
    return Netlist(cells, ports["input"], ports["output"], _names(module["netnames"], prefix))


def _readable(name: str) -> str:
    r"""`$flatten\attention.\dot.$mul$design.v:12$34` becomes `attention.dot.$mul`: where it is, and what it was."""
    flattened = re.match(r"\$flatten(\\.*?\.\$[a-z]+)\$", name)
    return flattened[1].replace("\\", "") if flattened else name


def _bits(bits: list[int | str]) -> list[Bit | None]:
    return [bit if isinstance(bit, int) else None for bit in bits]


def _names(nets: dict[str, dict], prefix: str) -> dict[Bit, str]:
    """A name for every bit; of several, one that Amaranth did not number, and the shortest."""
    names: dict[Bit, str] = {}
    ranked = sorted((net["hide_name"], "$" in name, len(name), name) for name, net in nets.items())
    for hidden, _, _, name in ranked:
        if hidden:
            break
        bits = nets[name]["bits"]
        for index, bit in enumerate(bits):
            if isinstance(bit, int):
                names.setdefault(bit, prefix + name + (f"[{index}]" if len(bits) > 1 else ""))
    return names
