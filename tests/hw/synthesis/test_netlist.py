"""Reading Yosys' JSON: the bits of pins, and which of several names a bit gets."""

import gzip
import json

from hw.synthesis.netlist import read_netlist


def test_names_pins_and_constants(tmp_path):
    nets = {"port": ([2], 0), "a.level_1$7": ([4, 5], 0), "a.longer_name": ([4, 5], 0), "alias": ([2], 0),
            "$abc$1": ([6], 1), "b.$signal$3": ([7], 0)}
    module = {
        "ports": {"port": {"direction": "input", "bits": [2]}, "bus": {"direction": "output", "bits": [5, "0"]}},
        "cells": {r"$flatten\attention.\dot.$mul$design.v:12$34": {
                      "hide_name": 1, "type": "DSP48E2", "port_directions": {}, "connections": {}},
                  "m.0": {"hide_name": 0, "type": "LUT2", "parameters": {"INIT": "0110"},
                          "port_directions": {"I0": "input", "I1": "input", "O": "output"},
                          "connections": {"I0": [2], "I1": ["1"], "O": [6]}}},
        "netnames": {name: {"bits": bits, "hide_name": hidden} for name, (bits, hidden) in nets.items()}}
    path = tmp_path / "n.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"modules": {"top": module, "other": {}}}).encode()))
    netlist = read_netlist(path, "top", prefix="u.")
    assert netlist.names == {2: "u.port", 4: "u.a.longer_name[0]", 5: "u.a.longer_name[1]", 7: "u.b.$signal$3"}
    product, cell = netlist.cells
    assert (product.name, product.hidden) == ("u.attention.dot.$mul", True)
    assert (cell.name, cell.hidden, cell.type, cell.parameters) == ("u.m.0", False, "LUT2", {"INIT": "0110"})
    assert (cell.inputs, cell.outputs) == ({"I0": [2], "I1": [None]}, {"O": [6]})
    assert (netlist.inputs, netlist.outputs) == ({"u.port": [2]}, {"u.bus": [5, None]})
