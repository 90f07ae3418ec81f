"""What must hold between the generated module, its wrapper, what Vivado is told of it and the packaged IP.

Each check takes a design and asserts.
"""

from __future__ import annotations

import inspect
import re
from xml.etree import ElementTree

from hw.description.ip_xact import SPIRIT
from hw.memory.read_master import ReadMaster
from models.machine.build import BURST_BEATS
from tests.hw.boards.verilog_ports import Port, instance_connections
from tests.hw.boards.vivado_design import Design

__all__ = ["SPACE", "WRAPPER_CHECKS", "interfaces"]

SPACE = f"{{{SPIRIT}}}"


def interfaces(ports: dict[str, Port]) -> set[str]:
    """Names of the AXI interfaces that Vivado infers."""
    return {match[1] for name in ports if (match := re.fullmatch(r"(\w+_axi)_[a-z]+", name))}


def attributes(text: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Of each port that has some: what it is, and its parameters."""
    found = {}
    for block, name in re.findall(r"((?:\(\*[^*]*\*\)\s*)+)(?:input|output) +wire +(?:\[\d+:0\])? *(\w+)", text):
        told = re.search(r'X_INTERFACE_PARAMETER = "([^"]*)"', block)
        role = re.search(r'X_INTERFACE_INFO = "([^"]*)"', block)
        pairs = (entry.split(" ", 1) for entry in (told[1] if told else "").split(", ") if entry)
        found[name] = role[1] if role else "", dict(pairs)
    return found


# the wrapper against the generated module


def wrapper_connects_the_core(design: Design) -> None:
    connected = instance_connections(design.text, "tritloom")
    wrapper, core = design.wrapper, design.core
    assert set(connected) == set(core)
    assert connected.pop("clk") == "aclk" and connected.pop("rst") == "~aresetn"
    cut = dict(re.findall(r"assign (\w+) = (\w+)\[\d+:0\];", design.text))
    for name, expression in connected.items():
        if name in cut:  # the port has the core's low bits
            assert expression == cut[name] and wrapper[name].width < core[name].width
            assert f"wire [{core[name].width - 1}:0] {expression};" in design.text
            assert f"assign {name} = {expression}[{wrapper[name].width - 1}:0];" in design.text
        else:
            assert expression == name  # each to the wrapper's port of the same name
            assert wrapper[name] == core[name], name
    assert {name.partition("_axi_")[2] for name in cut} == (
        {"awaddr", "araddr", "awlen", "arlen"} if design.board.ports.axi == "AXI3" else set())


def what_axi3_cuts_off_is_never_set(design: Design) -> None:
    if design.board.ports.axi == "AXI3":
        assert 2 ** design.wrapper["m0_axi_arlen"].width == BURST_BEATS  # longer ones: hw.memory.port_narrower
        assert 2 ** design.wrapper["m0_axi_araddr"].width >= 1 << 30  # its DDR begins at 0


def own_ports_are_clock_reset_and_constants(design: Design) -> None:
    own = set(design.wrapper) - set(instance_connections(design.text, "tritloom"))
    constants = dict(re.findall(r"assign (\w+) = (\d+'b[01]+);", design.text))
    copies = dict(re.findall(r"assign (\w+) = (\w+);", design.text))
    assert own == {"aclk", "aresetn", *constants, *copies}
    masters = range(design.board.build.ports)
    assert copies == ({f"m{n}_axi_wid": f"m{n}_axi_awid" for n in masters} if design.board.ports.axi == "AXI3" else {})
    for name, value in constants.items():
        width, digits = value.split("'b")
        assert design.wrapper[name] == Port("output", int(width)) and len(digits) == int(width)


def data_ports_are_the_boards(design: Design) -> None:
    ports, masters = design.board.ports, range(design.board.build.ports)
    assert interfaces(design.wrapper) == {"s_axi", *(f"m{n}_axi" for n in masters)}
    for n in masters:
        assert design.wrapper[f"m{n}_axi_wdata"].width == design.wrapper[f"m{n}_axi_rdata"].width == ports.bits
        assert design.wrapper[f"m{n}_axi_wstrb"].width == ports.bits // 8


# what Vivado is told


def every_port_is_told_its_place(design: Design) -> None:
    found = attributes(design.text)
    assert set(found) == set(design.wrapper)
    for name, (role, _) in found.items():
        interface, _, signal = name.rpartition("_")
        if "_axi_" in name:
            assert role == f"xilinx.com:interface:aximm:1.0 {interface} {signal.upper()}"


def the_clock_names_all_interfaces(design: Design) -> None:
    role, told = attributes(design.text)["aclk"]
    assert role == "xilinx.com:signal:clock:1.0 aclk CLK"
    assert set(told.pop("ASSOCIATED_BUSIF").split(":")) == interfaces(design.wrapper)
    assert told == {"ASSOCIATED_RESET": "aresetn"}


def reset_and_interrupt_are_told(design: Design) -> None:
    found = attributes(design.text)
    assert found["aresetn"] == ("xilinx.com:signal:reset:1.0 aresetn RST", {"POLARITY": "ACTIVE_LOW"})
    assert found["irq"] == ("xilinx.com:signal:interrupt:1.0 irq INTERRUPT", {"SENSITIVITY": "LEVEL_HIGH"})


def data_ports_are_told_as_they_are(design: Design) -> None:
    found, ports = attributes(design.text), design.wrapper
    reads = inspect.signature(ReadMaster.__init__).parameters["outstanding"].default
    for n in range(design.board.build.ports):
        (told,) = (told for name, (_, told) in found.items() if name.startswith(f"m{n}_axi_") and told)
        assert told["PROTOCOL"] == design.board.ports.axi
        for parameter, signal in (("DATA_WIDTH", "rdata"), ("ADDR_WIDTH", "araddr"), ("ID_WIDTH", "awid")):
            assert int(told[parameter]) == ports[f"m{n}_axi_{signal}"].width
        assert told["MAX_BURST_LENGTH"] == str(BURST_BEATS) and told["SUPPORTS_NARROW_BURST"] == "0"
        assert int(told["NUM_READ_OUTSTANDING"]) == reads * 128 // design.board.ports.bits
        assert 0 < int(told["NUM_WRITE_OUTSTANDING"]) <= 32


# the packaged IP against the wrapper


def the_packaged_ports_are_the_wrappers(design: Design) -> None:
    found = {}
    for port in ElementTree.fromstring(design.component).iter(f"{SPACE}port"):
        direction = port.findtext(f"{SPACE}wire/{SPACE}direction")
        left = port.findtext(f"{SPACE}wire/{SPACE}vector/{SPACE}left", "0")
        found[port.findtext(f"{SPACE}name")] = Port({"in": "input", "out": "output"}[direction], int(left) + 1)
    assert found == design.wrapper


def the_packaged_interfaces_are_told_alike(design: Design) -> None:
    root, told, mapped = ElementTree.fromstring(design.component), attributes(design.text), []
    for bus in root.iter(f"{SPACE}busInterface"):
        name = bus.findtext(f"{SPACE}name")
        physical = [entry.text for entry in bus.findall(f".//{SPACE}physicalPort/{SPACE}name")]
        logical = [entry.text for entry in bus.findall(f".//{SPACE}logicalPort/{SPACE}name")]
        parameters = {entry.findtext(f"{SPACE}name"): entry.findtext(f"{SPACE}value")
                      for entry in bus.iter(f"{SPACE}parameter")}
        mapped += physical
        if name in interfaces(design.wrapper):
            assert physical == [f"{name}_{signal.lower()}" for signal in logical]
            assert bus.find(f"{SPACE}{'slave' if name == 's_axi' else 'master'}") is not None
        assert [parameters] == [told[port][1] for port in physical if told[port][1]]
    assert sorted(mapped) == sorted(design.wrapper)
    files = [name.text for name in root.iterfind(f".//{SPACE}file/{SPACE}name")]
    assert files == ["tritloom.v", "tritloom_axi.v", "xgui.tcl"]


WRAPPER_CHECKS = (
    wrapper_connects_the_core, what_axi3_cuts_off_is_never_set, own_ports_are_clock_reset_and_constants,
    data_ports_are_the_boards, every_port_is_told_its_place, the_clock_names_all_interfaces,
    reset_and_interrupt_are_told, data_ports_are_told_as_they_are, the_packaged_ports_are_the_wrappers,
    the_packaged_interfaces_are_told_alike)
