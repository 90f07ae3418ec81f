"""The accelerator for Vivado's block designs, in Verilog: the generated module behind a board's AXI ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hw.boards.board import Ports
from hw.description.interfaces import CLOCK, RESET, Port, board_interfaces, own_ports, side_parameters
from hw.emit import TOP

__all__ = ["WRAPPER", "axi_wrapper"]

WRAPPER = f"{TOP}_axi"

_COMMENT = """\
// The accelerator for Vivado's block designs: what the generated module leaves out or has the other way round.
//
// Attributes tell Vivado the {n} AXI interfaces, port by port; the clock all of them belong to; a reset that is low
// when active, as the block design's reset controller gives it; and of each data port its protocol, the width of its
// IDs, its longest burst and how many are under way. The data ports' bursts are marked modifiable and bufferable
// (AxCACHE 0011), which lets the processing system's ports take them at full width.

`default_nettype none
"""
_ROLES = {"clk": "xilinx.com:signal:clock:1.0 {} CLK", "rst": "xilinx.com:signal:reset:1.0 {} RST",
          "interrupt": "xilinx.com:signal:interrupt:1.0 {} INTERRUPT"}
_AXI = "xilinx.com:interface:aximm:1.0"


def axi_wrapper(count: int, ports: Ports) -> str:
    """Module `WRAPPER` around a build with `count` masters on a board's ports (`hw.description.interfaces`)."""
    interfaces, told = board_interfaces(count, ports), side_parameters(count)
    head = _COMMENT.format(n="one two three four five".split()[count])
    groups = [[f"{_role(_ROLES[port.signal].format(port.name))}\n{_told(told[port.name])}\n{_declaration(port)}"
               for port in own_ports()]]
    for interface in interfaces:
        first, *others = (f"{_role(f'{_AXI} {interface.name} {port.signal.upper()}')}\n{_declaration(port)}"
                          for port in interface.ports)
        groups.append([f"{_told(interface.parameters)}\n{first}", *others])
    every = [port for interface in interfaces for port in interface.ports]
    wires = [f"    wire [{port.whole - 1}:0] {port.name}_whole;\n"
             f"    assign {port.name} = {port.name}_whole[{port.bits - 1}:0];\n" for port in every if _is_cut(port)]
    connections = [f"        .clk({CLOCK})", f"        .rst(~{RESET})",
                   *(f"        .{port.name}({port.name}{'_whole' * _is_cut(port)})"
                     for port in (*own_ports(), *every) if port.whole)]
    assigns = [f"    assign {port.name} = {port.value};" for port in every if port.value]
    return "\n".join([head, f"module {WRAPPER} (\n" + ",\n\n".join(map(_lines, groups)) + "\n);\n", *wires,
                      f"    {TOP} core (", _lines(connections), "    );\n", *assigns, "",
                      "endmodule\n", "`default_nettype wire\n"])


def _is_cut(port: Port) -> bool:
    return port.bits < port.whole


def _role(what: str) -> str:
    """What a port is, as an attribute of it."""
    return f'    (* X_INTERFACE_INFO = "{what}" *)'


def _told(parameters: Mapping[str, str]) -> str:
    """As an attribute of the port that follows."""
    return f'    (* X_INTERFACE_PARAMETER = "{", ".join(f"{name} {value}" for name, value in parameters.items())}" *)'


def _declaration(port: Port) -> str:
    vector = f"[{port.bits - 1}:0]" if port.bits > 1 else ""
    return f"    {'output' if port.output else 'input '} wire {vector:7} {port.name}"


def _lines(parts: Iterable[str]) -> str:
    return ",\n".join(parts)
