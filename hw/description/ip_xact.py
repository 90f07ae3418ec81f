"""The accelerator as a packaged IP: component.xml by IP-XACT 1685-2009, as Vivado's catalogue reads it.

Interfaces and ports are those of the wrapper (`hw.description.interfaces`), registers those of
`models.machine.registers`, as in SystemRDL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from hw.boards.board import Board
from hw.description.interfaces import REGISTER_BYTES, Interface, Port, board_interfaces, own_ports, side_parameters
from models.machine.build import BuildParameters
from models.machine.registers import REGISTERS, Register

__all__ = ["IP_LIBRARY", "IP_VENDOR", "IP_VERSION", "SPIRIT", "VIEW_SCRIPT", "component_xml", "view_script"]

SPIRIT = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
IP_VENDOR, IP_LIBRARY, IP_VERSION = "tritloom", "tritloom", "1.0"
VIEW_SCRIPT = "xgui.tcl"
"""What Vivado shows of the IP's settings: there are none."""

_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_XILINX = "http://www.xilinx.com"
_FAMILIES = {"UltraScale+": "zynquplus", "series 7": "zynq"}  # boards have a processor beside the fabric
_RFSOC = "zynquplusRFSOC"
_SIDES = {"clk": ("clock", "CLK"), "rst": ("reset", "RST"), "interrupt": ("interrupt", "INTERRUPT")}
_ACCESS = {"ro": "read-only", "rw": "read-write", "wp": "write-only"}
_REGISTER_MAP, _BLOCK = "s_axi", "reg0"  # the block's name is that of a module reference's segment
_SOURCES, _VIEW_FILES = "sources", "view"


def component_xml(build: BuildParameters, board: Board, name: str, sources: Iterable[str]) -> str:
    """The description of module `name`, which with what it contains lies in the files `sources`, the lowest first."""
    for prefix, space in (("spirit", SPIRIT), ("xilinx", _XILINX), ("xsi", _INSTANCE)):
        ElementTree.register_namespace(prefix, space)
    interfaces = board_interfaces(build.ports, board.ports)
    root = Element(f"{{{SPIRIT}}}component")
    root.set(f"{{{_INSTANCE}}}schemaLocation", f"{SPIRIT} {SPIRIT}/index.xsd")
    _texts(root, vendor=IP_VENDOR, library=IP_LIBRARY, name=name, version=IP_VERSION)
    buses = _add(root, "busInterfaces")
    for interface in interfaces:
        _bus(buses, interface)
    for port in own_ports():
        _side(buses, port, side_parameters(build.ports)[port.name])
    spaces = _add(root, "addressSpaces")
    for interface in interfaces[1:]:
        _texts(_add(spaces, "addressSpace"), name=interface.name, range=str(1 << board.ports.address_bits),
               width=str(board.ports.bits))
    _memory_map(root)
    every = [*own_ports(), *(port for interface in interfaces for port in interface.ports)]
    _model(root, name, every)
    _files(root, sources)
    _texts(root, description=f"Tritloom accelerator, build {build.name} at {build.clock_mhz} MHz")
    _parameters(root, {"Component_Name": f"{name}_v1_0"})
    _extensions(root, board)
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def view_script() -> str:
    """Content of `VIEW_SCRIPT`."""
    return ('# The IP has no settings of its own.\nproc init_gui {IPINST} {\n'
            '    ipgui::add_param $IPINST -name "Component_Name"\n}\n')


def _add(parent: Element, name: str) -> Element:
    return SubElement(parent, f"{{{SPIRIT}}}{name}")


def _texts(parent: Element, **texts: str) -> None:
    for name, text in texts.items():
        _add(parent, name).text = text


def _identified(parent: Element, kind: str, what: str) -> None:
    """A reference to one of Xilinx' definitions."""
    for key, value in (("vendor", "xilinx.com"), ("library", kind), ("name", what), ("version", "1.0")):
        parent.set(f"{{{SPIRIT}}}{key}", value)


def _types(bus: Element, kind: str, what: str) -> None:
    _identified(_add(bus, "busType"), kind, what)
    _identified(_add(bus, "abstractionType"), kind, f"{what}_rtl")


def _bus(buses: Element, interface: Interface) -> None:
    bus = _add(buses, "busInterface")
    _texts(bus, name=interface.name)
    _types(bus, "interface", "aximm")
    if interface.master:
        _add(_add(bus, "master"), "addressSpaceRef").set(f"{{{SPIRIT}}}addressSpaceRef", interface.name)
    else:
        _add(_add(bus, "slave"), "memoryMapRef").set(f"{{{SPIRIT}}}memoryMapRef", _REGISTER_MAP)
    _maps(bus, {port.signal.upper(): port.name for port in interface.ports})
    _parameters(bus, interface.parameters)


def _side(buses: Element, port: Port, parameters: Mapping[str, str]) -> None:
    """Clock, reset or interrupt."""
    bus = _add(buses, "busInterface")
    _texts(bus, name=port.name)
    what, logical = _SIDES[port.signal]
    _types(bus, "signal", what)
    _add(bus, "master" if port.output else "slave")
    _maps(bus, {logical: port.name})
    _parameters(bus, parameters)


def _maps(bus: Element, names: Mapping[str, str]) -> None:
    maps = _add(bus, "portMaps")
    for logical, physical in names.items():
        entry = _add(maps, "portMap")
        _texts(_add(entry, "logicalPort"), name=logical)
        _texts(_add(entry, "physicalPort"), name=physical)


def _parameters(parent: Element, parameters: Mapping[str, str]) -> None:
    group = _add(parent, "parameters")
    for name, value in parameters.items():
        _texts(_add(group, "parameter"), name=name, value=value)


def _memory_map(root: Element) -> None:
    memory = _add(_add(root, "memoryMaps"), "memoryMap")
    _texts(memory, name=_REGISTER_MAP)
    block = _add(memory, "addressBlock")
    _texts(block, name=_BLOCK, baseAddress="0", range=str(REGISTER_BYTES), width="32", usage="register")
    for register in REGISTERS:
        _register(block, register)


def _register(block: Element, register: Register) -> None:
    entry = _add(block, "register")
    _texts(entry, name=register.name, description=register.description, addressOffset=f"{register.offset:#x}",
           size="32")
    if register.access == "ro":  # the fabric changes it
        _texts(entry, volatile="true")
    _texts(entry, access=_ACCESS[register.access])
    if register.access == "rw":
        _texts(_add(entry, "reset"), value=f"{register.reset:#x}")
    _texts(_add(entry, "field"), name="value", bitOffset="0", bitWidth="32")


def _model(root: Element, name: str, ports: Iterable[Port]) -> None:
    model = _add(root, "model")
    views = _add(model, "views")
    for view, what, files in (("xilinx_anylanguagesynthesis", ":vivado.xilinx.com:synthesis", _SOURCES),
                              ("xilinx_anylanguagebehavioralsimulation", ":vivado.xilinx.com:simulation", _SOURCES),
                              ("xilinx_xpgui", ":vivado.xilinx.com:xgui.ui", _VIEW_FILES)):
        entry = _add(views, "view")
        _texts(entry, name=view, envIdentifier=what)
        if files == _SOURCES:
            _texts(entry, language="Verilog", modelName=name)
        _texts(_add(entry, "fileSetRef"), localName=files)
    group = _add(model, "ports")
    for port in ports:
        entry = _add(group, "port")
        _texts(entry, name=port.name)
        wire = _add(entry, "wire")
        _texts(wire, direction="out" if port.output else "in")
        if port.bits > 1:
            _texts(_add(wire, "vector"), left=str(port.bits - 1), right="0")


def _files(root: Element, sources: Iterable[str]) -> None:
    sets = _add(root, "fileSets")
    for name, files, kind in ((_SOURCES, sources, "verilogSource"), (_VIEW_FILES, [VIEW_SCRIPT], "tclSource")):
        group = _add(sets, "fileSet")
        _texts(group, name=name)
        for file in files:
            _texts(_add(group, "file"), name=file, fileType=kind)


def _family(board: Board) -> str:
    """As Vivado's parts have it: an RFSoC's ends in DR."""
    return _RFSOC if board.device.name.endswith("DR") else _FAMILIES[board.technology.name]


def _extensions(root: Element, board: Board) -> None:
    core = SubElement(_add(root, "vendorExtensions"), f"{{{_XILINX}}}coreExtensions")
    families = SubElement(core, f"{{{_XILINX}}}supportedFamilies")
    family = SubElement(families, f"{{{_XILINX}}}family")
    family.set(f"{{{_XILINX}}}lifeCycle", "Production")
    family.text = _family(board)
    taxonomies = SubElement(core, f"{{{_XILINX}}}taxonomies")
    SubElement(taxonomies, f"{{{_XILINX}}}taxonomy").text = "/UserIP"
    for name, text in (("displayName", "Tritloom accelerator"), ("definitionSource", "package_project"),
                       ("coreRevision", "1")):
        SubElement(core, f"{{{_XILINX}}}{name}").text = text
