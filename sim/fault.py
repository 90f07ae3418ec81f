"""A planted fault: one inverted bit on one output of a component under test.

`TRITLOOM_FAULT=<Component>:<port>` makes `sim.runner` invert that output, so that a test that does not notice is found
out. `python -m scripts.verify.plant_faults` plants them all.
"""

from __future__ import annotations

import os

from sim.enclosure import ports_of

__all__ = ["FAULT_VARIABLE", "inverted_output", "output_ports"]

FAULT_VARIABLE = "TRITLOOM_FAULT"


def output_ports(verilog: str) -> list[str]:
    """Outputs of module top that carry data: handshakes left out."""
    names = [port.name for port in ports_of(verilog) if port.direction == "output"]
    return [name for name in names if not name.endswith(("valid", "ready"))]


def inverted_output(component: str, verilog: str) -> str | None:
    """The output that the environment wants inverted, if it names this component: the first where it names none."""
    name, _, port = os.environ.get(FAULT_VARIABLE, "").partition(":")
    return (port or output_ports(verilog)[0]) if name == component else None
