"""A module around module top with the same ports, so that a simulator's user sees the ports and nothing else.

What a user may look at, Verilator must keep: a unit whose every signal can be read compiles to many times the code.
"""

import re
from dataclasses import dataclass

__all__ = ["Port", "enclose", "ports_of"]

_PORT = re.compile(r"^  (input|output) (?:reg |wire )?(\[-?\d+:0\] )?(\\\S+ |\w+);", re.MULTILINE)


@dataclass(frozen=True)
class Port:
    direction: str
    """``input`` or ``output``."""
    range: str
    """As Verilog writes it, ``[7:0] ``; empty for one bit, ``[-1:0] `` for none."""
    name: str

    @property
    def escaped(self) -> str:
        """A name that Verilog takes even where it is one of its keywords."""
        return f"\\{self.name} "


def ports_of(verilog: str) -> list[Port]:
    """Module top's ports, in their order."""
    start = verilog.index("module top(")
    body = verilog[start:verilog.index("endmodule", start)]
    return [Port(direction, extent, name.strip().lstrip("\\")) for direction, extent, name in _PORT.findall(body)]


def enclose(verilog: str, inverted: str | None = None) -> str:
    """The same design with its module top inside another of that name.

    inverted: an output whose bit 0 is inverted on its way out; `ValueError` where there is none of that name.
    """
    ports = ports_of(verilog)
    if inverted is not None and inverted not in [port.name for port in ports if port.direction == "output"]:
        raise ValueError(f"module top has no output {inverted}")
    inner = verilog.replace("module top(", "module enclosed(")
    lines = [f"module top({', '.join(port.escaped for port in ports)});"]
    lines += [f"  {port.direction} {port.range}{port.escaped};" for port in ports]
    wires = []
    for port in ports:
        wire = port.escaped
        if port.name == inverted:
            wire = "before_fault"
            lines += [f"  wire {port.range}{wire};", f"  assign {port.escaped} = {wire} ^ 1'b1;"]
        wires.append(f".{port.escaped}({wire})")
    lines += [f"  enclosed inner({', '.join(wires)});", "endmodule"]
    return inner + "\n" + "\n".join(lines) + "\n"
