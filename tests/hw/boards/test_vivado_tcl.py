"""Vivado's scripts under tclsh with recorded commands, every name and width held against the Verilog."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from hw.boards.registry import BOARDS, BUILDS
from models.machine.build import PORT_BYTES
from tests.hw.boards.verilog_ports import Port, instance_connections, module_ports

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "hw" / "boards" / "kv260"
FILES = [SCRIPTS / name for name in ("build_kv260.tcl", "check_timing.tcl", "kv260.xdc", "kv260_bd.tcl",
                                     "tritloom_axi.v")]
KV260 = BUILDS["kv260"]
MET = "All user specified timing constraints are met."
MISSED = "Timing constraints are not met."

# pins and interfaces of the cells that are Xilinx's, from PG201, PG164 and PG247
PS_PINS = {"pl_clk0", "pl_resetn0", "pl_ps_irq0", "maxihpm0_fpd_aclk", *(f"saxihp{n}_fpd_aclk" for n in range(4))}
RESET_PINS = {"slowest_sync_clk", "ext_reset_in", "interconnect_aresetn", "peripheral_aresetn"}
INTERFACE_OF_ENABLE = {"PSU__USE__M_AXI_GP0": "M_AXI_HPM0_FPD",
                       **{f"PSU__USE__S_AXI_GP{n + 2}": f"S_AXI_HP{n}_FPD" for n in range(4)}}

pytestmark = pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh (Debian: apt install tcl)")

Call = tuple[str, ...]


def run(folder: Path, *, script: str = "build_kv260.tcl", progress: str = "100%",
        timing: str = MET) -> tuple[subprocess.CompletedProcess[str], list[Call]]:
    """Run a script of a build's folder; its exit and every Vivado command with its words."""
    log = folder / "vivado.log"
    result = subprocess.run(["tclsh", Path(__file__).with_name("vivado_stub.tcl"), log, folder / script],
                            env=os.environ | {"PROGRESS": progress, "TIMING": timing},
                            capture_output=True, text=True, cwd=folder, timeout=60)
    return result, [tuple(line.split("\x1f")) for line in log.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What hw.build leaves, as far as the scripts look."""
    for file in FILES:
        shutil.copy(file, tmp_path)
    (tmp_path / "tritloom.v").write_text("module tritloom(); endmodule\n")
    (tmp_path / "accel.json").write_text('{\n "hash": "00",\n "clock_mhz": 250,\n "parameters": {}\n}\n')
    return tmp_path


@pytest.fixture
def calls(folder: Path) -> list[Call]:
    result, calls = run(folder)
    assert (result.returncode, result.stderr) == (0, "")
    return calls


@pytest.fixture(scope="module")
def wrapper() -> dict[str, Port]:
    return module_ports((SCRIPTS / "tritloom_axi.v").read_text(), "tritloom_axi")


@pytest.fixture(scope="module")
def core() -> dict[str, Port]:
    """Ports of the generated module."""
    pytest.importorskip("amaranth", reason="pip install 'tritloom[hw]'")
    pytest.importorskip("hw.core")
    from hw.emit import TOP, emit_verilog
    # ports follow from the number of memory ports alone, and a small build is written in seconds
    return module_ports(emit_verilog(replace(BUILDS["sim-tiny"], ports=KV260.ports))[0], TOP)


def configuration(calls: list[Call], cell: str) -> dict[str, str]:
    """CONFIG properties that the script sets on a cell."""
    found: dict[str, str] = {}
    for call in calls:
        if call[:2] == ("set_property", "-dict") and call[3] == cell:
            words = call[2].split()
            found |= {name.removeprefix("CONFIG."): value for name, value in zip(words[::2], words[1::2], strict=True)}
    return found


def cells(calls: list[Call]) -> dict[str, str]:
    """Cell: VLNV without version, or the module it refers to."""
    return {call[-1]: call[-2] for call in calls if call[0] == "create_bd_cell"}


def nets(calls: list[Call], command: str) -> list[tuple[str, str]]:
    return [call[1:] for call in calls if call[0] == command]


def interfaces(ports: dict[str, Port]) -> set[str]:
    return {match[1] for name in ports if (match := re.fullmatch(r"(\w+_axi)_[a-z]+", name))}


# the wrapper against the generated module


def test_the_wrapper_connects_every_port_of_the_generated_module(wrapper, core):
    connected = instance_connections((SCRIPTS / "tritloom_axi.v").read_text(), "tritloom")
    assert set(connected) == set(core)
    assert connected.pop("clk") == "aclk" and connected.pop("rst") == "~aresetn"
    for name, expression in connected.items():
        assert expression == name  # each to the wrapper's port of the same name
        assert wrapper[name] == core[name], name


def test_the_wrappers_own_ports_are_clock_reset_and_constants(wrapper):
    text = (SCRIPTS / "tritloom_axi.v").read_text()
    own = set(wrapper) - set(instance_connections(text, "tritloom"))
    constants = dict(re.findall(r"assign (\w+) = (\d+'b[01]+);", text))
    assert own == {"aclk", "aresetn", *constants}
    for name, value in constants.items():
        width, digits = value.split("'b")
        assert wrapper[name] == Port("output", int(width)) and len(digits) == int(width)


def test_the_clock_names_all_interfaces(wrapper):
    text = (SCRIPTS / "tritloom_axi.v").read_text()
    named = re.search(r"ASSOCIATED_BUSIF ([\w:]+)", text)
    assert named and set(named[1].split(":")) == interfaces(wrapper)


def test_data_ports_are_as_many_and_as_wide_as_the_builds(wrapper):
    assert interfaces(wrapper) == {"s_axi", *(f"m{n}_axi" for n in range(KV260.ports))}
    for n in range(KV260.ports):
        assert wrapper[f"m{n}_axi_wdata"].width == wrapper[f"m{n}_axi_rdata"].width == PORT_BYTES * 8
        assert wrapper[f"m{n}_axi_wstrb"].width == PORT_BYTES


# the block design against the wrapper


def test_every_connected_pin_exists(calls, wrapper):
    pins = {"ps": PS_PINS, "reset": RESET_PINS, "control": {"aclk", "aresetn"},
            "tritloom": set(wrapper) - {name for name in wrapper if "_axi_" in name}}
    assert set(pins) == set(cells(calls))
    for pin in {pin for net in nets(calls, "connect_bd_net") for pin in net}:
        cell, _, name = pin.partition("/")
        assert name in pins[cell], pin


def test_every_pin_of_the_accelerator_is_connected_once(calls, wrapper):
    driven = Counter(pin for net in nets(calls, "connect_bd_net") for pin in net if pin.startswith("tritloom/"))
    assert driven == Counter(f"tritloom/{name}" for name in wrapper if "_axi_" not in name)
    joined = Counter(pin for net in nets(calls, "connect_bd_intf_net") for pin in net if pin.startswith("tritloom/"))
    assert joined == Counter(f"tritloom/{name}" for name in interfaces(wrapper))


def test_one_clock_drives_everything(calls):
    clocked = {pin for net in nets(calls, "connect_bd_net") if "ps/pl_clk0" in net for pin in net}
    clocks = {pin for net in nets(calls, "connect_bd_net") for pin in net if re.search(r"clk\d?$", pin)}
    assert clocked == clocks
    assert {f"ps/{pin}" for pin in PS_PINS if pin.endswith("aclk")} < clocked


def test_the_clock_is_the_builds_from_the_iopll(calls):
    ps = configuration(calls, "/ps")
    assert ps["PSU__CRL_APB__PL0_REF_CTRL__SRCSEL"] == "IOPLL"
    assert float(ps["PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"]) == KV260.clock_mhz
    assert ps["PSU__FPGA_PL0_ENABLE"] == "1"


def test_each_interface_of_the_processor_is_enabled_and_as_wide_as_its_peer(calls, wrapper):
    ps = configuration(calls, "/ps")
    enabled = {interface for name, interface in INTERFACE_OF_ENABLE.items() if ps.get(name) == "1"}
    used = {pin for net in nets(calls, "connect_bd_intf_net") for pin in net if pin.startswith("ps/")}
    assert used == {f"ps/{interface}" for interface in enabled}
    assert int(ps["PSU__MAXIGP0__DATA_WIDTH"]) == wrapper["s_axi_wdata"].width
    for port, peer in nets(calls, "connect_bd_intf_net"):
        if match := re.fullmatch(r"ps/S_AXI_HP(\d)_FPD", peer):
            width = wrapper[port.removeprefix("tritloom/") + "_wdata"].width
            assert int(ps[f"PSU__SAXIGP{int(match[1]) + 2}__DATA_WIDTH"]) == width
    assert ps["PSU__USE__IRQ0"] == "1"


def test_the_register_window_is_as_large_as_the_address(calls, wrapper):
    window = next(call for call in calls if call[0] == "assign_bd_address" and "-offset" in call)
    assert window[-1] == "tritloom/s_axi/reg0"
    assert window[window.index("-range") + 1] == f"{2 ** wrapper['s_axi_awaddr'].width // 1024}K"


def test_every_data_port_reaches_all_of_the_ddr_and_nothing_else(calls, wrapper):
    reached, excluded = set(), set()
    for call in calls:
        if call[0] in ("assign_bd_address", "exclude_bd_addr_seg") and call[2].startswith("tritloom/"):
            (reached if call[0] == "assign_bd_address" else excluded).add((call[2], call[3]))
    ports = [(f"tritloom/m{n}_axi", f"ps/SAXIGP{n + 2}/HP{n}_") for n in range(KV260.ports)]
    assert reached == {(space, prefix + part) for space, prefix in ports for part in ("DDR_LOW", "DDR_HIGH")}
    assert excluded == {(space, prefix + part) for space, prefix in ports for part in ("LPS_OCM", "QSPI")}
    assert all(wrapper[f"m{n}_axi_araddr"].width >= 36 for n in range(KV260.ports))  # the high half ends at 34 GiB


def test_the_runtime_finds_the_cell_and_its_clock(calls):
    source = (ROOT / "host" / "pynq_device.py").read_text()
    name = re.search(r'^CELL = "(\w+)"', source, re.MULTILINE)
    assert name and cells(calls)[name[1]] == "tritloom_axi"
    assert "fclk0_mhz" in source  # pl_clk0


# the flow


def test_hw_build_hands_over_every_file_that_the_scripts_read():
    assert BOARDS["kv260"].files == FILES
    assert BOARDS["sim-tiny"].files == []


def test_the_constraints_lie_at_the_top_too():
    assert (ROOT / "constraints" / "kv260.xdc").samefile(SCRIPTS / "kv260.xdc")


def test_constraints_name_only_ports_of_the_design(folder, calls):
    assert not [call for call in calls if call[0] in ("create_bd_port", "create_bd_intf_port", "make_bd_pins_external")]
    result, constrained = run(folder, script="kv260.xdc")
    assert result.returncode == 0, result.stderr  # get_ports is no command of the stub: there is no port to name
    assert {call[0] for call in constrained} == {"set_property", "current_design"}


def test_bitstream_and_description_are_left_beside_accel_json(folder, calls):
    assert (folder / "tritloom.bit").exists() and (folder / "tritloom.hwh").exists()
    names = [call[0] for call in calls]
    assert names.index("create_project") < names.index("create_bd_design") < names.index("validate_bd_design")
    assert names.index("validate_bd_design") < names.index("launch_runs") < names.index("wait_on_run")
    added = " ".join(word for call in calls if call[0] == "add_files" for word in call)
    assert all(f"{folder}/{name}" in added for name in ("tritloom.v", "tritloom_axi.v", "kv260.xdc"))


def test_missed_timing_leaves_no_bitstream(folder):
    result, _ = run(folder, timing=MISSED)
    assert result.returncode == 1 and "timing is not met" in result.stderr
    assert not (folder / "tritloom.bit").exists()


def test_a_failed_implementation_leaves_no_bitstream(folder):
    result, _ = run(folder, progress="62%")
    assert result.returncode == 1 and "implementation stopped at: write_bitstream ERROR" in result.stderr
    assert not (folder / "tritloom.bit").exists()


@pytest.mark.parametrize("name", ["accel.json", "tritloom.v", "tritloom_axi.v", "kv260_bd.tcl"])
def test_a_missing_file_is_named_before_anything_is_made(folder, name):
    (folder / name).unlink()
    result, calls = run(folder)
    assert result.returncode == 1 and f"{name} is missing" in result.stderr
    assert calls == []


def test_timing_without_a_report_is_not_met(folder):
    result = subprocess.run(["tclsh", folder / "check_timing.tcl"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "not implemented" in result.stderr


# the readers of Verilog


def test_ports_are_read_from_both_styles_of_declaration():
    expected = {"clk": Port("input", 1), "m0_axi_araddr": Port("output", 40), "s_axi_wdata": Port("input", 32)}
    header = "module tritloom (input wire clk, output wire [39:0] m0_axi_araddr, // x\n input [31:0] s_axi_wdata);"
    body = ("/* Generated by Yosys */\n(* top = 1 *)\nmodule tritloom(clk, m0_axi_araddr, s_axi_wdata);\n"
            "  (* src = \"core.py:3\" *)\n  input clk;\n  wire clk;\n  output [39:0] m0_axi_araddr;\n"
            "  reg [39:0] m0_axi_araddr;\n  input [31:0] s_axi_wdata;\n  wire [31:0] inner;")
    for text in (header, body):
        other = "\nmodule other(input [7:0] clk); endmodule\n"
        assert module_ports(other + text + "\nendmodule" + other, "tritloom") == expected
    with pytest.raises(KeyError):
        module_ports(header + " endmodule", "trit")
