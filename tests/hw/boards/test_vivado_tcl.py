"""Vivado's scripts under tclsh with recorded commands, every name and width held against the Verilog."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from hw.boards.board import Board
from hw.boards.registry import BOARDS
from models.machine.build import BURST_BEATS
from tests.hw.boards.verilog_ports import Port, instance_connections, module_ports

ROOT = Path(__file__).resolve().parents[3]
MET = "All user specified timing constraints are met."
MISSED = "Timing constraints are not met."


@dataclass(frozen=True)
class Processor:
    """A board's processing system as its block design sees it, from Xilinx' guides (PG201, PG082).

    interface_of: what each property enables; width_of: the property that holds an interface's width; clock: that of
    its frequency in MHz; on: properties that are 1; segments: of the DDR behind a data port, and what else lies there.
    """

    pins: set[str]
    clock_pin: str
    interface_of: dict[str, str]
    width_of: dict[str, str]
    clock: str
    on: tuple[str, ...]
    data: str  # an interface's name, by the port's number
    segments: tuple[str, ...]
    others: tuple[str, ...] = ()


PROCESSORS = {
    "kv260": Processor(
        pins={"pl_clk0", "pl_resetn0", "pl_ps_irq0", "maxihpm0_fpd_aclk", *(f"saxihp{n}_fpd_aclk" for n in range(4))},
        clock_pin="pl_clk0",
        interface_of={"PSU__USE__M_AXI_GP0": "M_AXI_HPM0_FPD",
                      **{f"PSU__USE__S_AXI_GP{n + 2}": f"S_AXI_HP{n}_FPD" for n in range(4)}},
        width_of={"M_AXI_HPM0_FPD": "PSU__MAXIGP0__DATA_WIDTH",
                  **{f"S_AXI_HP{n}_FPD": f"PSU__SAXIGP{n + 2}__DATA_WIDTH" for n in range(4)}},
        clock="PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ", on=("PSU__FPGA_PL0_ENABLE", "PSU__USE__IRQ0"),
        data="S_AXI_HP{n}_FPD",
        segments=tuple(f"SAXIGP{{group}}/HP{{n}}_{part}" for part in ("DDR_LOW", "DDR_HIGH")),
        others=tuple(f"SAXIGP{{group}}/HP{{n}}_{part}" for part in ("LPS_OCM", "QSPI"))),
    "arty_z7": Processor(
        pins={"FCLK_CLK0", "FCLK_RESET0_N", "IRQ_F2P", "M_AXI_GP0_ACLK", "S_AXI_HP0_ACLK"}, clock_pin="FCLK_CLK0",
        interface_of={"PCW_USE_M_AXI_GP0": "M_AXI_GP0", "PCW_USE_S_AXI_HP0": "S_AXI_HP0"},
        width_of={"S_AXI_HP0": "PCW_S_AXI_HP0_DATA_WIDTH"},
        clock="PCW_FPGA0_PERIPHERAL_FREQMHZ",
        on=("PCW_EN_CLK0_PORT", "PCW_EN_RST0_PORT", "PCW_USE_FABRIC_INTERRUPT", "PCW_IRQ_F2P_INTR"),
        data="S_AXI_HP{n}", segments=("S_AXI_HP{n}/HP{n}_DDR_LOWOCM",)),
}
RESET_PINS = {"slowest_sync_clk", "ext_reset_in", "interconnect_aresetn", "peripheral_aresetn"}  # PG164

pytestmark = pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh (Debian: apt install tcl)")

Call = tuple[str, ...]


def run(folder: Path, *, script: str = "", progress: str = "100%",
        timing: str = MET) -> tuple[subprocess.CompletedProcess[str], list[Call]]:
    """Run a script of a build's folder; its exit and every Vivado command with its words."""
    log, script = folder / "vivado.log", script or next(folder.glob("build_*.tcl")).name
    result = subprocess.run(["tclsh", Path(__file__).with_name("vivado_stub.tcl"), log, folder / script],
                            env=os.environ | {"PROGRESS": progress, "TIMING": timing},
                            capture_output=True, text=True, cwd=folder, timeout=60)
    return result, [tuple(line.split("\x1f")) for line in log.read_text().splitlines()]


@pytest.fixture(params=list(PROCESSORS), scope="module")
def board(request) -> Board:
    return BOARDS[request.param]


@pytest.fixture
def processor(board) -> Processor:
    return PROCESSORS[board.name]


@pytest.fixture(scope="module")
def text(board) -> str:
    """The wrapper."""
    pytest.importorskip("amaranth", reason="pip install 'tritloom[hw]'")
    from hw.axi_wrapper import axi_wrapper

    return axi_wrapper(board.build.ports, board.ports)


@pytest.fixture
def folder(board, text, tmp_path: Path) -> Path:
    """What hw.build leaves, as far as the scripts look."""
    for file in board.files:
        shutil.copy(file, tmp_path)
    (tmp_path / "tritloom_axi.v").write_text(text)
    (tmp_path / "tritloom.v").write_text("module tritloom(); endmodule\n")
    (tmp_path / "accel.json").write_text(
        f'{{\n "hash": "00",\n "clock_mhz": {board.build.clock_mhz},\n "parameters": {{}}\n}}\n')
    return tmp_path


@pytest.fixture
def calls(folder: Path) -> list[Call]:
    result, calls = run(folder)
    assert (result.returncode, result.stderr) == (0, "")
    return calls


@pytest.fixture(scope="module")
def wrapper(text) -> dict[str, Port]:
    return module_ports(text, "tritloom_axi")


@pytest.fixture(scope="module")
def core(board) -> dict[str, Port]:
    """Ports of the generated module: they are there before it has content, which takes a minute to write."""
    Core = pytest.importorskip("hw.core").Core
    from amaranth.hdl import Module

    from hw.emit import TOP, emit_verilog

    def elaborate(self, platform) -> Module:
        m = Module()
        m.d.sync += self.irq.eq(~self.irq)  # clock and reset are ports once something uses them
        return m

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Core, "elaborate", elaborate)
        return module_ports(emit_verilog(board.build)[0], TOP)


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


def test_the_wrapper_connects_every_port_of_the_generated_module(board, text, wrapper, core):
    connected = instance_connections(text, "tritloom")
    assert set(connected) == set(core)
    assert connected.pop("clk") == "aclk" and connected.pop("rst") == "~aresetn"
    cut = dict(re.findall(r"assign (\w+) = (\w+)\[\d+:0\];", text))
    for name, expression in connected.items():
        if name in cut:  # the port has the core's low bits
            assert expression == cut[name] and wrapper[name].width < core[name].width
            assert f"wire [{core[name].width - 1}:0] {expression};" in text
            assert f"assign {name} = {expression}[{wrapper[name].width - 1}:0];" in text
        else:
            assert expression == name  # each to the wrapper's port of the same name
            assert wrapper[name] == core[name], name
    assert {name.partition("_axi_")[2] for name in cut} == (
        {"awaddr", "araddr", "awlen", "arlen"} if board.ports.axi == "AXI3" else set())


def test_what_axi3_cuts_off_is_never_set(board, wrapper):
    if board.ports.axi == "AXI3":
        assert 2 ** wrapper["m0_axi_arlen"].width == BURST_BEATS  # longer ones are split (hw.memory.port_narrower)
        assert 2 ** wrapper["m0_axi_araddr"].width >= 1 << 30  # its DDR begins at 0


def test_the_wrappers_own_ports_are_clock_reset_and_constants(board, text, wrapper):
    own = set(wrapper) - set(instance_connections(text, "tritloom"))
    constants = dict(re.findall(r"assign (\w+) = (\d+'b[01]+);", text))
    copies = dict(re.findall(r"assign (\w+) = (\w+);", text))
    assert own == {"aclk", "aresetn", *constants, *copies}
    masters = range(board.build.ports)
    assert copies == ({f"m{n}_axi_wid": f"m{n}_axi_awid" for n in masters} if board.ports.axi == "AXI3" else {})
    for name, value in constants.items():
        width, digits = value.split("'b")
        assert wrapper[name] == Port("output", int(width)) and len(digits) == int(width)


def test_the_clock_names_all_interfaces(text, wrapper):
    named = re.search(r"ASSOCIATED_BUSIF ([\w:]+)", text)
    assert named and set(named[1].split(":")) == interfaces(wrapper)


def test_data_ports_are_as_many_and_as_wide_as_the_boards(board, wrapper):
    assert interfaces(wrapper) == {"s_axi", *(f"m{n}_axi" for n in range(board.build.ports))}
    for n in range(board.build.ports):
        assert wrapper[f"m{n}_axi_wdata"].width == wrapper[f"m{n}_axi_rdata"].width == board.ports.bits
        assert wrapper[f"m{n}_axi_wstrb"].width == board.ports.bits // 8


# the block design against the wrapper


def test_every_connected_pin_exists(calls, wrapper, processor):
    pins = {"ps": processor.pins, "reset": RESET_PINS, "control": {"aclk", "aresetn"},
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


def test_one_clock_drives_everything(calls, processor):
    clock = f"ps/{processor.clock_pin}"
    clocked = {pin for net in nets(calls, "connect_bd_net") if clock in net for pin in net}
    clocks = {pin for net in nets(calls, "connect_bd_net") for pin in net if re.search(r"clk\d?$", pin, re.IGNORECASE)}
    assert clocked == clocks
    assert {f"ps/{pin}" for pin in processor.pins if pin.lower().endswith("aclk")} < clocked


def test_the_clock_is_the_builds(calls, board, processor):
    ps = configuration(calls, "/ps")
    assert float(ps[processor.clock]) == board.build.clock_mhz
    assert all(ps[name] == "1" for name in processor.on)
    if board.name == "kv260":
        assert ps["PSU__CRL_APB__PL0_REF_CTRL__SRCSEL"] == "IOPLL"


def test_each_interface_of_the_processor_is_enabled_and_as_wide_as_its_peer(calls, board, wrapper, processor):
    ps = configuration(calls, "/ps")
    enabled = {interface for name, interface in processor.interface_of.items() if ps.get(name) == "1"}
    used = {pin for net in nets(calls, "connect_bd_intf_net") for pin in net if pin.startswith("ps/")}
    assert used == {f"ps/{interface}" for interface in enabled}
    joined = {peer.removeprefix("ps/"): port.removeprefix("tritloom/")
              for port, peer in nets(calls, "connect_bd_intf_net") if peer.startswith("ps/")}
    assert joined == {processor.data.format(n=n): f"m{n}_axi" for n in range(board.build.ports)}
    for interface, name in processor.width_of.items():
        assert int(ps[name]) == wrapper[f"{joined.get(interface, 's_axi')}_wdata"].width


def test_the_register_window_is_as_large_as_the_address(calls, wrapper):
    window = next(call for call in calls if call[0] == "assign_bd_address" and "-offset" in call)
    assert window[-1] == "tritloom/s_axi/reg0"
    assert window[window.index("-range") + 1] == f"{2 ** wrapper['s_axi_awaddr'].width // 1024}K"


def test_every_data_port_reaches_all_of_the_ddr_and_nothing_else(calls, board, wrapper, processor):
    reached, excluded = set(), set()
    for call in calls:
        if call[0] in ("assign_bd_address", "exclude_bd_addr_seg") and call[2].startswith("tritloom/"):
            (reached if call[0] == "assign_bd_address" else excluded).add((call[2], call[3]))

    def of(segments):
        return {(f"tritloom/m{n}_axi", f"ps/{segment.format(n=n, group=n + 2)}") for n in range(board.build.ports)
                for segment in segments}

    assert reached == of(processor.segments) and excluded == of(processor.others)
    if board.name == "kv260":  # the high half ends at 34 GiB
        assert all(wrapper[f"m{n}_axi_araddr"].width >= 36 for n in range(board.build.ports))


def test_the_runtime_finds_the_cell_and_its_clock(calls):
    source = (ROOT / "host" / "board" / "overlay.py").read_text()
    assert f"xilinx.com:module_ref:{cells(calls)['tritloom']}:1.0" in source  # what PYNQ binds its driver by
    assert "fclk0_mhz" in source  # the processor's first clock


# the flow


def test_hw_build_hands_over_every_file_that_the_scripts_read(board):
    name = board.name
    assert [path.name for path in board.files] == sorted(
        [f"{name}.xdc", f"{name}_bd.tcl", f"build_{name}.tcl", "block_design.tcl", "check_timing.tcl", "implement.tcl"])
    assert BOARDS["sim-tiny"].files == []


def test_the_part_is_the_boards(calls, board):
    (project,) = [call for call in calls if call[0] == "create_project"]
    assert project[project.index("-part") + 1] == board.device.part


def test_the_constraints_lie_at_the_top_too(board):
    assert (ROOT / "constraints" / f"{board.name}.xdc").samefile(board.folder / f"{board.name}.xdc")


def test_constraints_name_only_ports_of_the_design(folder, calls, board):
    assert not [call for call in calls if call[0] in ("create_bd_port", "create_bd_intf_port", "make_bd_pins_external")]
    result, constrained = run(folder, script=f"{board.name}.xdc")
    assert result.returncode == 0, result.stderr  # get_ports is no command of the stub: there is no port to name
    assert {call[0] for call in constrained} == {"set_property", "current_design"}


def test_bitstream_and_description_are_left_beside_accel_json(folder, calls, board):
    assert (folder / "tritloom.bit").exists() and (folder / "tritloom.hwh").exists()
    names = [call[0] for call in calls]
    assert names.index("create_project") < names.index("create_bd_design") < names.index("validate_bd_design")
    assert names.index("validate_bd_design") < names.index("launch_runs") < names.index("wait_on_run")
    added = " ".join(word for call in calls if call[0] == "add_files" for word in call)
    assert all(f"{folder}/{name}" in added for name in ("tritloom.v", "tritloom_axi.v", f"{board.name}.xdc"))


def test_missed_timing_leaves_no_bitstream(folder):
    result, _ = run(folder, timing=MISSED)
    assert result.returncode == 1 and "timing is not met" in result.stderr
    assert not (folder / "tritloom.bit").exists()


def test_a_failed_implementation_leaves_no_bitstream(folder):
    result, _ = run(folder, progress="62%")
    assert result.returncode == 1 and "implementation stopped at: write_bitstream ERROR" in result.stderr
    assert not (folder / "tritloom.bit").exists()


@pytest.mark.parametrize("name", ["accel.json", "tritloom.v", "tritloom_axi.v", "{board}_bd.tcl", "block_design.tcl"])
def test_a_missing_file_is_named_before_anything_is_made(folder, board, name):
    name = name.format(board=board.name)
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
