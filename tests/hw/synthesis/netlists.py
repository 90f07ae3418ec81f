"""Netlists made by hand, in the form that Yosys writes."""

import json
from pathlib import Path

from hw.synthesis.netlist import Netlist, read_netlist

OUTPUTS = {"O", "CO", "Q", "Q31", "DOUT_A", "DOUTADOUT", "P", "SPO", "DPO"}


def write_netlist(path: Path, cells: list[tuple], inputs: str = "", outputs: str = "") -> Path:
    """Cells are (type, pins) or (type, pins, parameters); a pin's value is a list of nets, one a bit.

    A net is a word, its name in the source; one that starts with "_" has none. "0" and "1" are constants. `inputs`
    and `outputs` list the nets that are ports.
    """
    numbers: dict[str, int] = {}

    def bit(net: str) -> int | str:
        return net if net in ("0", "1") else numbers.setdefault(net, len(numbers) + 2)

    described = {}
    for index, (kind, pins, *parameters) in enumerate(cells):
        described[f"$cell{index}"] = {
            "hide_name": 1, "type": kind, "parameters": dict(*parameters),
            "connections": {pin: [bit(net) for net in nets.split()] for pin, nets in pins.items()},
            "port_directions": {pin: "output" if pin in OUTPUTS or pin.startswith("DO") else "input" for pin in pins}}
    ports = {net: {"direction": direction, "bits": [bit(net)]}
             for direction, nets in (("input", inputs), ("output", outputs)) for net in nets.split()}
    names = {net: {"hide_name": int(net.startswith("_")), "bits": [number]} for net, number in numbers.items()}
    module = {"ports": ports, "cells": described, "netnames": names}
    path.write_text(json.dumps({"modules": {"top": module}}))
    return path


def netlist(folder: Path, cells: list[tuple], inputs: str = "", outputs: str = "") -> Netlist:
    """The same, read."""
    return read_netlist(write_netlist(folder / "netlist.json", cells, inputs, outputs), "top")


def register(d: str, q: str, **pins: str) -> tuple:
    """A flip-flop on clock `clk`."""
    return "FDRE", {"C": "clk", "CE": "1", "D": d, "R": "0", "Q": q} | pins


def lut(inputs: str, output: str) -> tuple:
    """A LUT of as many inputs as are given."""
    nets = inputs.split()
    return f"LUT{len(nets)}", {f"I{n}": net for n, net in enumerate(nets)} | {"O": output}


def carry4(s: str, o: str = "", co: str = "", *, ci: str = "0", di: str = "0 0 0 0", cyinit: str = "0") -> tuple:
    """Four bits of a carry chain; `o` and `co` are left open if empty."""
    pins = {"S": s, "DI": di, "CI": ci, "CYINIT": cyinit}
    return "CARRY4", pins | {pin: nets for pin, nets in (("O", o), ("CO", co)) if nets}
