"""Vivado's scripts under tclsh with recorded commands, every name and width held against the Verilog."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hw.axi_wrapper import WRAPPER
from hw.boards.board import Board
from hw.boards.registry import BOARDS
from hw.boards.technology import ULTRASCALE_PLUS
from hw.description.ip_xact import IP_LIBRARY, IP_VENDOR, IP_VERSION
from tests.hw.boards.processors import PROCESSORS
from tests.hw.boards.verilog_ports import Port, module_ports

pytest.importorskip("amaranth", reason="pip install 'tritloom[hw]'")

from tests.hw.boards.design_checks import CHECKS, failing
from tests.hw.boards.vivado_design import MISSED, Design, run, write_folder

ROOT = Path(__file__).resolve().parents[3]
REPORTS = {"fanout.rpt", "memories.rpt", "methodology.rpt", "power.rpt", "timing.rpt", "utilization.rpt",
           "utilization_by_unit.rpt", "worst_paths.rpt"}
LEFT = ("tritloom.bit", "tritloom.hwh", "tritloom.xsa")

pytestmark = pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh (Debian: apt install tcl)")


@pytest.fixture(params=list(PROCESSORS), scope="module")
def board(request) -> Board:
    return BOARDS[request.param]


@pytest.fixture(scope="module")
def core(board) -> dict[str, Port]:
    """Ports of the generated module: they are there before it has content, which takes a minute to write."""
    from amaranth.hdl import Module

    from hw.core import Core
    from hw.emit import TOP, emit_verilog

    def elaborate(self, platform) -> Module:
        m = Module()
        m.d.sync += self.irq.eq(~self.irq)  # clock and reset are ports once something uses them
        return m

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Core, "elaborate", elaborate)
        return module_ports(emit_verilog(board.build)[0], TOP)


@pytest.fixture(scope="module")
def made(board, core, tmp_path_factory) -> tuple[Path, Design]:
    """A folder of hw.build's with what the script left in it, and the design."""
    folder, design = tmp_path_factory.mktemp("made"), Design.of(board, core, [])
    write_folder(folder, board, design.text, design.component)
    result, calls = run(folder)
    assert (result.returncode, result.stderr) == (0, "")
    return folder, replace(design, calls=calls)


@pytest.fixture(scope="module")
def design(made) -> Design:
    return made[1]


@pytest.fixture
def folder(design, tmp_path: Path) -> Path:
    """One in which nothing ran yet."""
    write_folder(tmp_path, design.board, design.text, design.component)
    return tmp_path


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_design_holds_together(check, design):
    check(design)


# what the checks see


FAULTS = {  # in the wrapper: a pattern, what it becomes, the check that must see it
    "a port renamed": (r"\bm0_axi_arvalid\b", "m0_axi_arvld", "wrapper_connects_the_core"),
    "a port of the bus renamed": (r"\bs_axi_wready\b", "s_axi_wrdy", "the_packaged_ports_are_the_wrappers"),
    "a port renamed outside alone": (r"(wire +)irq\b", r"\1interrupt",
                                     "every_pin_of_the_accelerator_is_connected_once"),
    "an address too narrow": (r"\[(39|31):0\] +m0_axi_araddr", "[29:0]  m0_axi_araddr", "wrapper_connects_the_core"),
    "data too narrow": (r"\[\d+:0\] +m0_axi_rdata", "[31:0]  m0_axi_rdata", "data_ports_are_the_boards"),
    "registers too few": (r"\[11:0\] +s_axi_awaddr", "[10:0]  s_axi_awaddr",
                          "the_register_window_is_as_large_as_the_address"),
    "an output for an input": (r"input ( wire +m0_axi_arready)", r"output\1", "wrapper_connects_the_core"),
    "a constant too wide": (r"m0_axi_awcache = 4'b0011", "m0_axi_awcache = 5'b00011",
                            "own_ports_are_clock_reset_and_constants"),
    "the reset the other way": (r"\.rst\(~aresetn\)", ".rst(aresetn)", "wrapper_connects_the_core"),
    "no clock attribute": (r'\(\* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF[^*]*\*\)', "",
                           "the_clock_names_all_interfaces"),
    "a port told another place": ("m0_axi ARVALID", "m0_axi AWVALID", "every_port_is_told_its_place"),
    "a port not told": (r'\(\* X_INTERFACE_INFO = "[^"]*s_axi RDATA" \*\)', "", "every_port_is_told_its_place"),
    "no kind of clock": (r'\(\* X_INTERFACE_INFO = "xilinx.com:signal:clock[^*]*\*\)', "",
                         "the_clock_names_all_interfaces"),
    "a clock without a bus": (r"ASSOCIATED_BUSIF s_axi:", "ASSOCIATED_BUSIF ", "the_clock_names_all_interfaces"),
    "a reset without polarity": ("POLARITY ACTIVE_LOW", "POLARITY ACTIVE_HIGH", "reset_and_interrupt_are_told"),
    "IDs told too wide": ("ID_WIDTH 4", "ID_WIDTH 6", "data_ports_are_told_as_they_are"),
    "bursts told too long": ("MAX_BURST_LENGTH 16", "MAX_BURST_LENGTH 256", "data_ports_are_told_as_they_are"),
}
COMPONENT_FAULTS = {
    "a port renamed": (">m0_axi_arvalid<", ">m0_axi_arvld<", "the_packaged_ports_are_the_wrappers"),
    "a width wrong": (r"(<spirit:name>m0_axi_wstrb</spirit:name>.*?<spirit:left>)\d+", r"\g<1>3",
                      "the_packaged_ports_are_the_wrappers"),
    "no clock attribute": ("ASSOCIATED_BUSIF", "ASSOCIATED", "the_packaged_interfaces_are_told_alike"),
    "a port mapped twice": (r"<spirit:name>s_axi_rready<", "<spirit:name>s_axi_bready<",
                            "the_packaged_interfaces_are_told_alike"),
    "another name": (r"<spirit:name>tritloom_axi</spirit:name>\n <spirit:version", "<spirit:name>x</spirit:name>\n "
                     "<spirit:version", "the_accelerator_is_the_wrapper"),
}
SCRIPT_FAULTS = {  # in the board's block design, or in that of all
    "a pin of the processor": ("(FCLK_RESET0_N|pl_resetn0)", "reset_n", "every_connected_pin_exists"),
    "a pin of the accelerator": ("tritloom/irq", "tritloom/interrupt", "every_connected_pin_exists"),
    "an interface": (r"add_data_port m(0|\$\{port\})_axi", r"add_data_port d\1_axi",
                     "every_pin_of_the_accelerator_is_connected_once"),
    "a port half as wide": (r"((?:SAXIGP2_|S_AXI_HP0)_DATA_WIDTH) \d+", r"\1 32",
                            "interfaces_are_enabled_and_as_wide_as_their_peers"),
    "a port that is not enabled": (r"(PCW_USE_S_AXI_HP0|PSU__USE__S_AXI_GP2) 1", r"\1 0",
                                   "interfaces_are_enabled_and_as_wide_as_their_peers"),
    "a clock left open": ("control/aclk tritloom/aclk", "tritloom/aclk", "one_clock_drives_everything"),
    "a clock of one's own": (r"\$(given|clock)_mhz \\", r"100.5 \\", "the_clock_is_the_builds"),
    "a window too large": ("-range 4K", "-range 64K", "the_register_window_is_as_large_as_the_address"),
    "a segment left out": (r"HP0_DDR_LOWOCM|\$\{prefix\}DDR_LOW ", "", "data_ports_reach_the_ddr_and_nothing_else"),
}


def damaged(text: str, fault: tuple[str, str, str]) -> str:
    changed = re.sub(fault[0], fault[1], text, flags=re.DOTALL)
    assert changed != text
    return changed


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_damaged_wrapper_is_seen(fault, design):
    assert fault[2] in failing(replace(design, text=damaged(design.text, fault)))


@pytest.mark.parametrize("fault", COMPONENT_FAULTS.values(), ids=list(COMPONENT_FAULTS))
def test_a_damaged_component_is_seen(fault, design):
    assert fault[2] in failing(replace(design, component=damaged(design.component, fault)))


@pytest.mark.parametrize("fault", SCRIPT_FAULTS.values(), ids=list(SCRIPT_FAULTS))
def test_a_damaged_script_is_seen(fault, design, folder):
    for file in folder.glob("*.tcl"):
        file.write_text(re.sub(fault[0], fault[1], file.read_text()))
    _, calls = run(folder)
    assert fault[2] in failing(replace(design, calls=calls))


def test_a_renamed_port_of_the_core_is_seen(design):
    core = {name.replace("m0_axi_rid", "m0_axi_id"): port for name, port in design.core.items()}
    assert failing(replace(design, core=core)) == {"wrapper_connects_the_core"}
    core = design.core | {"m0_axi_rid": Port("input", 6)}
    assert failing(replace(design, core=core)) == {"wrapper_connects_the_core"}


# the flow


def test_hw_build_hands_over_every_file_that_the_scripts_read(board):
    name = board.name
    assert [path.name for path in board.files] == sorted(
        [f"{name}.xdc", f"{name}_bd.tcl", f"build_{name}.tcl", "block_design.tcl", "check_timing.tcl", "implement.tcl",
         "record.tcl", "reports.tcl", *(["zynq_ultrascale.tcl"] if board.technology is ULTRASCALE_PLUS else [])])
    assert BOARDS["sim-tiny"].files == []


def test_the_runtime_finds_the_cell(design):
    source = (ROOT / "host" / "board" / "overlay.py").read_text()
    assert f'"xilinx.com:module_ref:{design.cells["tritloom"]}:1.0"' in source  # what PYNQ binds its driver by
    assert f'"{IP_VENDOR}:{IP_LIBRARY}:{WRAPPER}:{IP_VERSION}"' in source


def test_the_part_is_the_boards(design):
    (project,) = design.nets("create_project")
    assert project[project.index("-part") + 1] == design.board.device.part


def test_the_constraints_lie_at_the_top_too(board):
    assert (ROOT / "constraints" / f"{board.name}.xdc").samefile(board.folder / f"{board.name}.xdc")


def test_constraints_name_only_ports_of_the_design(folder, design):
    made = {net[-1] for net in design.nets("create_bd_port")}
    assert made == set(dict(design.processor.outside))
    assert not design.nets("create_bd_intf_port") and not design.nets("make_bd_pins_external")
    result, constrained = run(folder, script=f"{design.board.name}.xdc")
    assert result.returncode == 0, result.stderr
    assert {call[0] for call in constrained} <= {"set_property", "current_design", "get_ports"}
    assert {call[-1] for call in constrained if call[0] == "get_ports"} == made
    pins = {call[-1]: call[-2] for call in constrained if call[:2] == ("set_property", "PACKAGE_PIN")}
    assert pins == dict(design.processor.outside)
    assert made == {call[-1] for call in constrained if call[:2] == ("set_property", "IOSTANDARD")}


def test_everything_is_left_beside_accel_json(made):
    folder, design = made
    assert all((folder / name).exists() for name in LEFT)
    assert {path.name for path in (folder / "implementation").iterdir()} == REPORTS
    names = [call[0] for call in design.calls]
    assert names.index("create_project") < names.index("create_bd_design") < names.index("validate_bd_design")
    assert names.index("validate_bd_design") < names.index("launch_runs") < names.index("wait_on_run")
    assert names.index("wait_on_run") < names.index("open_run") < names.index("report_power")
    assert names.index("report_power") < names.index("write_hw_platform")
    added = " ".join(word for net in design.nets("add_files") for word in net)
    assert all(f"{folder}/{name}" in added for name in ("tritloom.v", "tritloom_axi.v", f"{design.board.name}.xdc"))


def test_accel_json_says_how_the_bitstream_was_made(folder, board):
    before = json.loads((folder / "accel.json").read_text())
    for _ in range(2):  # the second takes the place of the first
        assert run(folder)[0].returncode == 0
        after = json.loads((folder / "accel.json").read_text())
        made = after.pop("vivado")
        assert after == before and list(made) == ["version", "part", "packaged_ip", "clock_mhz", "setup_slack_ns",
                                                  "hold_slack_ns"]
        assert made["version"] == "2024.1" and made["part"] == board.device.part and made["packaged_ip"] is False
        assert made["clock_mhz"] == pytest.approx(board.build.clock_mhz, rel=1e-4)
    assert not (folder / "accel.json.new").exists()


def test_the_packaged_ip_takes_the_modules_place(folder, design):
    result, calls = run(folder, "ip", "4")
    assert (result.returncode, result.stderr) == (0, "")
    packaged = replace(design, calls=calls)
    assert packaged.cells["tritloom"] == "tritloom:tritloom:tritloom_axi" and failing(packaged) == set()
    assert ("set_property", "ip_repo_paths", f"{folder}/ip", "tritloom") in calls
    assert not [word for net in packaged.nets("add_files") for word in net if word.endswith(".v")]
    assert json.loads((folder / "accel.json").read_text())["vivado"]["packaged_ip"] is True
    assert packaged.nets("launch_runs")[0][-1] == "4"


@pytest.mark.parametrize("arguments", [["project"], ["ip", "project"], ["project", "8", "ip"]])
def test_a_project_is_left_before_the_implementation(folder, design, arguments):
    result, calls = run(folder, *arguments)
    assert (result.returncode, result.stderr) == (0, "") and "vivado/tritloom.xpr" in result.stdout
    assert failing(replace(design, calls=calls)) == set()
    assert calls[-1][0] == "set_property" and not [call for call in calls if call[0] == "launch_runs"]
    assert not [name for name in (*LEFT, "implementation") if (folder / name).exists()]


@pytest.mark.parametrize("argument", ["projct", "0", "-1", "all"])
def test_an_unknown_argument_is_named_before_anything_is_made(folder, argument):
    result, calls = run(folder, argument)
    assert result.returncode == 1 and f"unknown argument {argument}: known are ip, project" in result.stderr
    assert calls == []


def test_missed_timing_leaves_reports_and_no_bitstream(folder):
    assert run(folder)[0].returncode == 0
    result, _ = run(folder, timing=MISSED)
    assert result.returncode == 1 and "timing is not met" in result.stderr
    assert not [name for name in LEFT if (folder / name).exists()]  # not those of the first run either
    assert {path.name for path in (folder / "implementation").iterdir()} == REPORTS


def test_a_failed_implementation_leaves_no_bitstream(folder):
    result, _ = run(folder, progress="62%")
    assert result.returncode == 1 and "implementation stopped at: write_bitstream ERROR" in result.stderr
    assert not (folder / "tritloom.bit").exists()


@pytest.mark.parametrize("name", ["accel.json", "tritloom.v", "tritloom_axi.v", "{board}_bd.tcl", "block_design.tcl",
                                  "reports.tcl", "record.tcl"])
def test_a_missing_file_is_named_before_anything_is_made(folder, board, name):
    name = name.format(board=board.name)
    (folder / name).unlink()
    result, calls = run(folder)
    assert result.returncode == 1 and f"{name} is missing" in result.stderr
    assert calls == []


def test_timing_without_a_report_is_not_met(folder):
    result = subprocess.run(["tclsh", folder / "check_timing.tcl"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "not implemented" in result.stderr


# what a preset or a clock generator may lack


def test_every_clock_of_a_board_is_asked_for_as_its_generator_can(design, tmp_path):
    for mhz in design.board.clocks:
        folder = tmp_path / str(mhz)
        folder.mkdir()
        write_folder(folder, design.board, design.text, design.component, clock_mhz=mhz)
        calls = run(folder, clock_mhz=mhz)[1]
        asked = float(replace(design, calls=calls).configuration("/ps")[design.processor.clock])
        assert 0 <= asked - mhz < 1  # Vivado takes the next clock that is not faster
        if pll := design.processor.pll_mhz:
            assert pll / asked == pytest.approx(round(pll / asked), abs=1e-9)


def test_another_clock_than_the_builds_is_refused(folder, board):
    result, calls = run(folder, clock_mhz=187.5)
    assert result.returncode == 1
    assert f"clock is 187.5 MHz, but the build is for {board.build.clock_mhz} MHz" in result.stderr
    assert not [call for call in calls if call[0] == "launch_runs"]


def test_segments_that_a_preset_lacks(folder, design):
    for other in {segment.partition("/HP{n}_")[2] for segment in design.processor.others}:
        result, calls = run(folder, missing=f"*_{other}")
        excluded = {call[-1] for call in calls if call[0] == "exclude_bd_addr_seg"}
        assert result.returncode == 0 and excluded and not [name for name in excluded if name.endswith(other)]
    for segment in design.processor.segments:
        result, _ = run(folder, missing=f"ps/{segment.format(n=0, group=2)}")
        assert result.returncode == 1 and f"has no memory ps/{segment.format(n=0, group=2)}" in result.stderr


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
