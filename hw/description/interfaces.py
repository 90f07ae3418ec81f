"""The AXI interfaces of the accelerator as Vivado sees them: one table for the wrapper in Verilog and for IP-XACT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.boards.board import Ports
from hw.memory.axi import ADDRESS_BITS, DATA_BITS, ID_BITS, Axi4, Axi4Lite
from models.machine.build import BURST_BEATS

__all__ = ["CLOCK", "INTERRUPT", "REGISTER_BYTES", "RESET", "Interface", "Port", "board_interfaces", "own_ports",
           "side_parameters"]

CLOCK, RESET, INTERRUPT = "aclk", "aresetn", "irq"
REGISTER_BYTES = 4096  # of the register bus's window

_CHANNELS = ("aw", "w", "b", "ar", "r")  # in a port list's order
_CONSTANTS = {"cache": "4'b0011", "prot": "3'b000"}  # of both address channels
_READS = 16  # bursts under way at a port that is not narrower (hw.memory.read_master)
_WRITES = 32  # of both clients of the write master; Vivado knows no more


@dataclass(frozen=True)
class Port:
    """A port of the wrapper. signal: its name in the standard, in lower case. whole: bits of the core's port of the
    same name, of which these are the low ones; 0 where the core has none. value: what drives it then.
    """

    name: str
    signal: str
    output: bool
    bits: int
    whole: int = 0
    value: str = ""


@dataclass(frozen=True)
class Interface:
    """name: what its ports' names begin with. parameters: what Vivado is told of it, in its own words."""

    name: str
    master: bool
    ports: tuple[Port, ...]
    parameters: dict[str, str]


def board_interfaces(count: int, ports: Ports) -> tuple[Interface, ...]:
    """The register bus, and the `count` masters of a build on a board's ports.

    AXI3 has lengths of four bits, which the core's bursts of at most 16 beats fit, and a WID: the ID of the burst whose
    data are sent, which the core behind narrow ports holds at AWID.
    """
    lite = Interface("s_axi", False, tuple(_ports("s_axi", Axi4Lite().flip())), {
        "PROTOCOL": "AXI4LITE", "DATA_WIDTH": "32", "ADDR_WIDTH": str(REGISTER_BYTES.bit_length() - 1)})
    told = {
        "PROTOCOL": ports.axi, "DATA_WIDTH": str(ports.bits), "ADDR_WIDTH": str(ports.address_bits),
        "ID_WIDTH": str(ID_BITS), "MAX_BURST_LENGTH": str(BURST_BEATS), "SUPPORTS_NARROW_BURST": "0",
        "NUM_READ_OUTSTANDING": str(_READS * DATA_BITS // ports.bits), "NUM_WRITE_OUTSTANDING": str(_WRITES)}
    return lite, *(Interface(name, True, tuple(_ports(name, Axi4(ports.bits), ports)), told)
                   for name in (f"m{port}_axi" for port in range(count)))


def own_ports() -> tuple[Port, ...]:
    """Clock, reset and interrupt. The core has the first two under other names, the reset high when active."""
    return (Port(CLOCK, "clk", False, 1), Port(RESET, "rst", False, 1), Port(INTERRUPT, "interrupt", True, 1, 1))


def side_parameters(count: int) -> dict[str, dict[str, str]]:
    """What Vivado is told of `own_ports`, by name: the clock all interfaces belong to, a reset that is low when active,
    an interrupt that stays until it is acknowledged."""
    buses = ":".join(["s_axi", *(f"m{port}_axi" for port in range(count))])
    return {CLOCK: {"ASSOCIATED_BUSIF": buses, "ASSOCIATED_RESET": RESET}, RESET: {"POLARITY": "ACTIVE_LOW"},
            INTERRUPT: {"SENSITIVITY": "LEVEL_HIGH"}}


def _ports(name: str, signature: wiring.Signature, ports: Ports | None = None) -> Iterator[Port]:
    """Channel by channel. ports: None for the register bus, which is what it is."""
    cut = {} if ports is None else _cut(ports)
    for signal in sorted(signature.members, key=lambda signal: _CHANNELS.index(
            signal[:2] if signal[:2] in _CHANNELS else signal[0])):
        member = signature.members[signal]
        bits = cut.get(signal, member.shape)
        yield Port(f"{name}_{signal}", signal, member.flow != In, bits, member.shape)
        if ports is not None and signal.endswith("burst"):
            for constant, value in _CONSTANTS.items():
                yield Port(f"{name}_{signal[:2]}{constant}", f"{signal[:2]}{constant}", True, int(value[0]),
                           value=value)
        if ports is not None and ports.axi == "AXI3" and signal == "awready":
            yield Port(f"{name}_wid", "wid", True, ID_BITS, value=f"{name}_awid")


def _cut(ports: Ports) -> dict[str, int]:
    """Signals of which a port takes the low bits alone, and how many."""
    addresses = {} if ports.address_bits == ADDRESS_BITS else dict.fromkeys(("awaddr", "araddr"), ports.address_bits)
    return addresses | (dict.fromkeys(("awlen", "arlen"), 4) if ports.axi == "AXI3" else {})
