"""The accelerator for Vivado's block designs, in Verilog: the generated module behind a board's AXI ports."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.boards.board import Ports
from hw.emit import TOP
from hw.memory.axi import ADDRESS_BITS, ID_BITS, Axi4, Axi4Lite

__all__ = ["WRAPPER", "axi_wrapper"]

WRAPPER = f"{TOP}_axi"

_CHANNELS = ("aw", "w", "b", "ar", "r")  # in a port list's order
_CONSTANTS = {"cache": "4'b0011", "prot": "3'b000"}  # of both address channels

_HEAD = """\
// The accelerator for Vivado's block designs: what the generated module leaves out or has the other way round.
//
// Vivado infers the {n} AXI interfaces from the ports' names. Told by attributes: the clock all of them belong to,
// and a reset that is low when active, as the block design's reset controller gives it. The data ports' bursts are
// marked modifiable and bufferable (AxCACHE 0011), which lets the processing system's ports take them at full width.

`default_nettype none

module {wrapper} (
    (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF {buses}, ASSOCIATED_RESET aresetn" *)
    input  wire         aclk,
    (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input  wire         aresetn,
    (* X_INTERFACE_INFO = "xilinx.com:signal:interrupt:1.0 irq INTERRUPT" *)
    (* X_INTERFACE_PARAMETER = "SENSITIVITY LEVEL_HIGH" *)
    output wire         irq,
"""


def axi_wrapper(count: int, ports: Ports) -> str:
    """Module `WRAPPER` around a build with `count` masters on a board's ports.

    AXI3 has lengths of four bits, which the core's bursts of at most 16 beats fit, and a WID: the ID of the burst whose
    data are sent, which the core behind narrow ports holds at AWID.
    """
    masters = [f"m{port}_axi" for port in range(count)]
    lite, full = Axi4Lite().flip(), Axi4(ports.bits)
    cut = _cut(ports)
    head = _HEAD.format(n="one two three four five".split()[count], wrapper=WRAPPER,
                        buses=":".join(["s_axi", *masters]))
    groups = [_declarations("s_axi", lite), *(_declarations(name, full, ports) for name in masters)]
    wires = [f"    wire [{full.members[signal].shape - 1}:0] {name}_{signal}_whole;\n"
             f"    assign {name}_{signal} = {name}_{signal}_whole[{width - 1}:0];\n"
             for name in masters for signal, width in cut.items()]
    connections = ["        .clk(aclk)", "        .rst(~aresetn)", "        .irq(irq)",
                   *(f"        .s_axi_{signal}(s_axi_{signal})" for signal in _ordered(lite)),
                   *(f"        .{name}_{signal}({name}_{signal}{'_whole' * (signal in cut)})" for name in masters
                     for signal in _ordered(full))]
    assigns = [_constants(name, ports) for name in masters]
    return "\n".join([head, ",\n\n".join(",\n".join(group) for group in groups) + "\n);\n", *wires,
                      f"    {TOP} core (", ",\n".join(connections), "    );\n", *assigns,
                      "endmodule\n", "`default_nettype wire\n"])


def _cut(ports: Ports) -> dict[str, int]:
    """Signals of which a port takes the low bits alone, and how many."""
    addresses = {} if ports.address_bits == ADDRESS_BITS else dict.fromkeys(("awaddr", "araddr"), ports.address_bits)
    return addresses | (dict.fromkeys(("awlen", "arlen"), 4) if ports.axi == "AXI3" else {})


def _ordered(signature: wiring.Signature) -> list[str]:
    """Names of the signals, channel by channel."""
    return sorted(signature.members, key=lambda name: _CHANNELS.index(name[:2] if name[:2] in _CHANNELS else name[0]))


def _declarations(name: str, signature: wiring.Signature, ports: Ports | None = None) -> list[str]:
    """An interface's ports as declared in the header. ports: None for the register bus, which is what it is."""
    found = []
    for signal in _ordered(signature):
        member = signature.members[signal]
        width = _cut(ports).get(signal, member.shape) if ports else member.shape
        found.append(_port("input " if member.flow == In else "output", width, f"{name}_{signal}"))
        if ports and signal.endswith("burst"):
            found += [_port("output", int(value[0]), f"{name}_{signal[:2]}{constant}")
                      for constant, value in _CONSTANTS.items()]
        if ports and ports.axi == "AXI3" and signal == "awready":
            found.append(_port("output", ID_BITS, f"{name}_wid"))
    if ports and ports.axi == "AXI3":
        found[0] = f'    (* X_INTERFACE_PARAMETER = "PROTOCOL AXI3" *)\n{found[0]}'
    return found


def _port(direction: str, width: int, name: str) -> str:
    vector = f"[{width - 1}:0]" if width > 1 else ""
    return f"    {direction} wire {vector:7} {name}"


def _constants(name: str, ports: Ports) -> str:
    lines = [f"    assign {name}_{channel}{signal} = {value};" for channel in ("aw", "ar")
             for signal, value in _CONSTANTS.items()]
    if ports.axi == "AXI3":
        lines.append(f"    assign {name}_wid = {name}_awid;")
    return "\n".join(lines) + "\n"
