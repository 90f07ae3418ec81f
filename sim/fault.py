"""A planted fault: one inverted bit on one output of a component under test.

`TRITLOOM_FAULT=<Component>:<port>` makes `sim.runner` wrap that component's Verilog, so that a test that
does not notice an inverted bit is found out. `python -m scripts.verify.plant_faults` plants them all.
"""

from __future__ import annotations

import os
import re

__all__ = ["FAULT_VARIABLE", "invert_bit", "output_ports", "planted"]

FAULT_VARIABLE = "TRITLOOM_FAULT"
_PORT = re.compile(r"^  (input|output) (?:reg |wire )?(?:\[(\d+):0\] )?(\\\S+ |\w+);", re.MULTILINE)


def _ports(verilog: str) -> list[tuple[str, int, str]]:
    """(direction, width, name) of module top's ports."""
    start = verilog.index("module top(")
    body = verilog[start:verilog.index("endmodule", start)]
    return [(direction, int(high or 0) + 1, name.strip().lstrip("\\")) for direction, high, name in _PORT.findall(body)]


def output_ports(verilog: str) -> list[str]:
    """Outputs of module top that carry data: handshakes left out."""
    names = [name for direction, _, name in _ports(verilog) if direction == "output"]
    return [name for name in names if not name.endswith(("valid", "ready"))]


def _escaped(name: str) -> str:
    return f"\\{name} "


def invert_bit(verilog: str, port: str) -> str:
    """The same design with bit 0 of an output of module top inverted."""
    ports = _ports(verilog)
    if port not in [name for direction, _, name in ports if direction == "output"]:
        raise ValueError(f"module top has no output {port}")
    # every name escaped: a port may be called as a keyword of Verilog's
    inner = verilog.replace("module top(", "module faultless(")
    lines = [f"module top({', '.join(_escaped(name) for _, _, name in ports)});"]
    lines += [f"  {direction} [{width - 1}:0] {_escaped(name)};" for direction, width, name in ports]
    lines += [f"  wire [{width - 1}:0] fault_inside;" for _, width, name in ports if name == port]
    wires = ", ".join(f".{_escaped(name)}({'fault_inside' if name == port else _escaped(name)})"
                      for _, _, name in ports)
    lines += [f"  faultless inner({wires});", f"  assign {_escaped(port)} = fault_inside ^ 1'b1;", "endmodule"]
    return inner + "\n" + "\n".join(lines) + "\n"


def planted(component: str, verilog: str) -> str:
    """The component's Verilog, with the fault of the environment if it names this component."""
    name, _, port = os.environ.get(FAULT_VARIABLE, "").partition(":")
    return invert_bit(verilog, port or output_ports(verilog)[0]) if name == component else verilog
