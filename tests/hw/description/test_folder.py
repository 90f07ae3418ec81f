"""The report of a build, against the Verilog, the registers and the tools that read such files."""

import re
import shutil
import subprocess
from functools import partial
from xml.etree import ElementTree

import pytest
from systemrdl import RDLCompiler

from hw.analytic.prediction import predict
from hw.analytic.sites import engine_sites
from hw.boards.device import Resources
from hw.boards.registry import BOARDS, BUILDS
from hw.build import REPORT, write_build
from hw.description import folder as described
from hw.description.folder import site_count, write_report
from hw.emit import TOP, kept_sourced_verilog, kept_verilog
from hw.synthesis.yosys import Run
from models.checkpoint import load_config
from models.machine.registers import REGISTERS
from tests.hw.synthesis.netlists import lut, register, write_netlist
from tests.sim.cores import FOUR_SLOTS
from tests.test_imports import ROOT


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The folder of the core that the tests share, with figures of the KV260's."""
    place = tmp_path_factory.mktemp("build")
    found = "demo", predict(load_config("demo"), BUILDS["kv260"], BOARDS["kv260"].memory)

    def write(folder, text, identity):
        write_report(folder, FOUR_SLOTS, identity, text, kept_sourced_verilog(FOUR_SLOTS), found)

    write_build(FOUR_SLOTS, place, kept_verilog, write)
    return place / REPORT


def test_the_units_are_the_verilog_with_its_python_lines(report):
    plain = kept_verilog(FOUR_SLOTS)[0]
    units = sorted((report / "units").rglob("*.v"))
    assert len(units) == len(re.findall(r"^endmodule", plain, re.MULTILINE)) > 200
    assert "src =" not in plain
    for unit in (report / "units" / f"{TOP}.v", report / "units" / "linear.v", report / "units" / "control" / "run.v"):
        text = unit.read_text()
        without = re.sub(r'^ *\(\* src = "[^"]*" \*\)\n|\(\* src = "[^"]*" \*\) ', "", text, flags=re.MULTILINE)
        assert without in plain and without != text
        for place in {name for sources in re.findall(r'src = "([^"]*)"', text) for name in sources.split("|")}:
            file, line = place.split(":")
            assert (ROOT / file).is_file() and 1 <= int(line) <= len((ROOT / file).read_text().splitlines())
    assert 'src = "hw/control/run_control.py:' in (report / "units" / "control" / "run.v").read_text()


def test_the_page_stands_alone_and_says_what_the_build_is(report):
    page = (report / "index.html").read_text()
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "") and "<script" not in page
    for link in set(re.findall(r"href='([^']*)'", page)):
        assert (report / link).is_file()
    assert all(f"<td>{name}</td>" in page for name in FOUR_SLOTS.to_json())
    assert all(f"<td>{register.name}</td>" in page for register in REGISTERS)
    assert "there is no Yosys run of this build" in page and f"{engine_sites(FOUR_SLOTS).lut:,}" in page
    assert "cycles a token" in page and "The linear layers of demo, by the analytic model" in page


def test_the_blocks_are_the_cores_engines(report):
    svg = ElementTree.parse(report / "blocks.svg")
    texts = {element.text for element in svg.iter() if element.tag.endswith("text")}
    assert {"attention", "control", "head", "linear", "memory", "vector"} <= texts
    titles = [element.text for element in svg.iter() if element.tag.endswith("title")]
    weights = next(title for title in titles if title.startswith("memory to linear, "))
    assert "weights" in weights and int(weights.split()[3]) >= 8 * FOUR_SLOTS.beat_bytes
    assert any(title.startswith("vector to linear, ") for title in titles)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
def test_the_c_header_compiles_to_the_offsets(report, tmp_path):
    checks = "".join(f'_Static_assert(TRITLOOM_{r.name} == {r.offset}, "{r.name}");\n' for r in REGISTERS)
    (tmp_path / "check.c").write_text(f'#include "registers.h"\n#include "registers.h"\n{checks}'
                                      '_Static_assert(TRITLOOM_STATUS_ERROR == 4, "ERROR");\n')
    subprocess.run(["gcc", "-Wall", "-Werror", "-fsyntax-only", "-I", str(report), str(tmp_path / "check.c")],
                   check=True)


def test_the_systemrdl_compiles_to_the_map(report):
    compiler = RDLCompiler()
    compiler.compile_file(str(report / "registers.rdl"))
    nodes = {node.inst_name: node for node in compiler.elaborate().top.registers()}
    assert {name: node.absolute_address for name, node in nodes.items()} == {r.name: r.offset for r in REGISTERS}
    for entry in REGISTERS:
        (field,) = nodes[entry.name].fields()
        assert (field.is_sw_readable, field.is_sw_writable) == (entry.access != "wp", entry.access != "ro")
        assert nodes[entry.name].get_property("desc") == entry.description


def test_a_kept_yosys_run_gives_the_sites(tmp_path, monkeypatch):
    cells = [register("in", "a"), lut("a b", "_1"), register("_1", "q"), ("URAM288", {})]
    run = Run(write_netlist(tmp_path / "netlist.json", cells, "in a b clk"), "abc9", "0.50", 1.0, True)
    monkeypatch.setattr(described, "kept_run", lambda verilog, top, technology: run)
    monkeypatch.setattr(described, "read_netlist", partial(lambda read, path, top: read(path, "top"),
                                                           described.read_netlist))
    found = site_count(FOUR_SLOTS, "")
    assert found.used == Resources(lut=1, lutram=0, ff=2, dsp=0, bram36=0, uram=1)
    assert found.what == "Of the whole, by Yosys 0.50, mapped by abc9." and "ff" in found.names


def test_an_old_report_goes(tmp_path):
    def write(name):
        return lambda folder, text, identity: (folder / name).write_text(text)

    for name in ("a", "b"):
        write_build(FOUR_SLOTS, tmp_path, lambda build: ("module", "0" * 64), write(name))
        assert [path.name for path in (tmp_path / REPORT).iterdir()] == [name]
    assert {path.name for path in tmp_path.iterdir()} == {f"{TOP}.v", "accel.json", "registers.md", REPORT}
