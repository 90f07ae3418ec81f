"""What must hold between the generated module, its wrapper, the packaged IP and the block design.

Each check takes a design and asserts; `failing` names those that a design does not stand.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable
from xml.etree import ElementTree

from hw.description.ip_xact import IP_LIBRARY, IP_VENDOR, SPIRIT
from hw.memory.read_master import ReadMaster
from models.machine.build import BURST_BEATS
from tests.hw.boards.verilog_ports import Port, instance_connections
from tests.hw.boards.vivado_design import Design

__all__ = ["CHECKS", "Check", "failing", "interfaces"]

Check = Callable[[Design], None]

RESET_PINS = {"slowest_sync_clk", "ext_reset_in", "interconnect_aresetn", "peripheral_aresetn"}  # PG164
_SPACE = f"{{{SPIRIT}}}"


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
    for port in ElementTree.fromstring(design.component).iter(f"{_SPACE}port"):
        direction = port.findtext(f"{_SPACE}wire/{_SPACE}direction")
        left = port.findtext(f"{_SPACE}wire/{_SPACE}vector/{_SPACE}left", "0")
        found[port.findtext(f"{_SPACE}name")] = Port({"in": "input", "out": "output"}[direction], int(left) + 1)
    assert found == design.wrapper


def the_packaged_interfaces_are_told_alike(design: Design) -> None:
    root, told, mapped = ElementTree.fromstring(design.component), attributes(design.text), []
    for bus in root.iter(f"{_SPACE}busInterface"):
        name = bus.findtext(f"{_SPACE}name")
        physical = [entry.text for entry in bus.findall(f".//{_SPACE}physicalPort/{_SPACE}name")]
        logical = [entry.text for entry in bus.findall(f".//{_SPACE}logicalPort/{_SPACE}name")]
        parameters = {entry.findtext(f"{_SPACE}name"): entry.findtext(f"{_SPACE}value")
                      for entry in bus.iter(f"{_SPACE}parameter")}
        mapped += physical
        if name in interfaces(design.wrapper):
            assert physical == [f"{name}_{signal.lower()}" for signal in logical]
            assert bus.find(f"{_SPACE}{'slave' if name == 's_axi' else 'master'}") is not None
        assert [parameters] == [told[port][1] for port in physical if told[port][1]]
    assert sorted(mapped) == sorted(design.wrapper)
    files = [name.text for name in root.iterfind(f".//{_SPACE}file/{_SPACE}name")]
    assert files == ["tritloom.v", "tritloom_axi.v", "xgui.tcl"]


# the block design against the wrapper


def every_connected_pin_exists(design: Design) -> None:
    pins = {"ps": design.processor.pins, "reset": RESET_PINS, "control": {"aclk", "aresetn"},
            "tritloom": set(design.wrapper) - {name for name in design.wrapper if "_axi_" in name},
            **({"fan": {"Din", "Dout"}} if design.processor.outside else {})}
    assert set(pins) == set(design.cells)
    for pin in {pin for net in design.nets("connect_bd_net") for pin in net}:
        cell, _, name = pin.partition("/")
        assert name in pins[cell] if name else cell in dict(design.processor.outside), pin


def every_pin_of_the_accelerator_is_connected_once(design: Design) -> None:
    driven = Counter(pin for net in design.nets("connect_bd_net") for pin in net if pin.startswith("tritloom/"))
    assert driven == Counter(f"tritloom/{name}" for name in design.wrapper if "_axi_" not in name)
    joined = Counter(pin for net in design.nets("connect_bd_intf_net") for pin in net if pin.startswith("tritloom/"))
    assert joined == Counter(f"tritloom/{name}" for name in interfaces(design.wrapper))


def one_clock_drives_everything(design: Design) -> None:
    nets, clock = design.nets("connect_bd_net"), f"ps/{design.processor.clock_pin}"
    clocked = {pin for net in nets if clock in net for pin in net}
    assert clocked == {pin for net in nets for pin in net if re.search(r"clk\d?$", pin, re.IGNORECASE)}
    assert {f"ps/{pin}" for pin in design.processor.pins if pin.lower().endswith("aclk")} < clocked
    assert {"reset/slowest_sync_clk", "control/aclk", "tritloom/aclk"} < clocked


def the_clock_is_the_builds(design: Design) -> None:
    ps = design.configuration("/ps")
    assert float(ps[design.processor.clock]) == design.board.build.clock_mhz
    assert all(ps[name] == "1" for name in design.processor.on)
    if design.board.name == "kv260":
        assert ps["PSU__CRL_APB__PL0_REF_CTRL__SRCSEL"] == "IOPLL"


def interfaces_are_enabled_and_as_wide_as_their_peers(design: Design) -> None:
    ps, processor, nets = design.configuration("/ps"), design.processor, design.nets("connect_bd_intf_net")
    enabled = {interface for name, interface in processor.interface_of.items() if ps.get(name) == "1"}
    assert {pin for net in nets for pin in net if pin.startswith("ps/")} == {f"ps/{name}" for name in enabled}
    joined = {peer.removeprefix("ps/"): port.removeprefix("tritloom/") for port, peer in nets if peer.startswith("ps/")}
    assert joined == {processor.data.format(n=n): f"m{n}_axi" for n in range(design.board.build.ports)}
    for interface, name in processor.width_of.items():
        assert int(ps[name]) == design.wrapper[f"{joined.get(interface, 's_axi')}_wdata"].width


def the_register_window_is_as_large_as_the_address(design: Design) -> None:
    (window,) = (call for call in design.calls if call[0] == "assign_bd_address" and "-offset" in call)
    assert window[-1] == "tritloom/s_axi/reg0"
    bytes_ = 2 ** design.wrapper["s_axi_awaddr"].width
    assert window[window.index("-range") + 1] == f"{bytes_ // 1024}K"
    block = ElementTree.fromstring(design.component).find(f".//{_SPACE}addressBlock")
    assert (block.findtext(f"{_SPACE}name"), block.findtext(f"{_SPACE}range")) == ("reg0", str(bytes_))


def data_ports_reach_the_ddr_and_nothing_else(design: Design) -> None:
    reached, excluded = set(), set()
    for call in design.calls:
        if call[0] in ("assign_bd_address", "exclude_bd_addr_seg") and call[2].startswith("tritloom/"):
            (reached if call[0] == "assign_bd_address" else excluded).add((call[2], call[3]))

    def of(segments: tuple[str, ...]) -> set[tuple[str, str]]:
        return {(f"tritloom/m{n}_axi", f"ps/{segment.format(n=n, group=n + 2)}")
                for n in range(design.board.build.ports) for segment in segments}

    assert reached == of(design.processor.segments) and excluded == of(design.processor.others)
    if design.board.name == "kv260":  # the high half ends at 34 GiB
        assert all(design.wrapper[f"m{n}_axi_araddr"].width >= 36 for n in range(design.board.build.ports))


def the_accelerator_is_the_wrapper(design: Design) -> None:
    assert design.cells["tritloom"] in ("tritloom_axi", f"{IP_VENDOR}:{IP_LIBRARY}:tritloom_axi")
    root = ElementTree.fromstring(design.component)
    assert [root.findtext(f"{_SPACE}{name}") for name in ("vendor", "library", "name")] == [
        IP_VENDOR, IP_LIBRARY, "tritloom_axi"]


CHECKS: tuple[Check, ...] = (
    wrapper_connects_the_core, what_axi3_cuts_off_is_never_set, own_ports_are_clock_reset_and_constants,
    data_ports_are_the_boards, every_port_is_told_its_place, the_clock_names_all_interfaces,
    reset_and_interrupt_are_told, data_ports_are_told_as_they_are, the_packaged_ports_are_the_wrappers,
    the_packaged_interfaces_are_told_alike, every_connected_pin_exists,
    every_pin_of_the_accelerator_is_connected_once, one_clock_drives_everything, the_clock_is_the_builds,
    interfaces_are_enabled_and_as_wide_as_their_peers, the_register_window_is_as_large_as_the_address,
    data_ports_reach_the_ddr_and_nothing_else, the_accelerator_is_the_wrapper)


def failing(design: Design) -> set[str]:
    """Names of the checks that a design does not stand."""
    found = set()
    for check in CHECKS:
        try:
            check(design)
        except (AssertionError, KeyError, ValueError):
            found.add(check.__name__)
    return found
