"""The KV260's device-tree overlay against the block design, and by the kernel's own compiler."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from hw.boards.kv260.overlay import overlay
from hw.boards.registry import BOARDS

BOARD = BOARDS["kv260"]
SCRIPT = next(file for file in BOARD.files if file.name == "zynq_ultrascale.tcl").read_text()


@pytest.mark.parametrize("mhz", BOARD.clocks)
def test_it_sets_the_builds_clock(mhz):
    text = overlay(replace(BOARD.build, clock_mhz=mhz))
    (hertz,) = re.findall(r"assigned-clock-rates = <(\d+)>", text)
    assert mhz - 0.01 <= int(hertz) / 1e6 < mhz + 1 and f"at {mhz} MHz" in text


def test_it_says_what_the_block_design_has():
    assert BOARD.attachment.overlay is overlay
    text = overlay(BOARD.build)
    (base,) = re.findall(r"M_AXI_HPM0_FPD (0x[0-9A-F]+)$", SCRIPT, re.MULTILINE)
    assert f"tritloom@{int(base, 16):x} " in text and f"reg = <0x0 {int(base, 16):#x} 0x0 0x1000>" in text
    assert "pl_ps_irq0" in SCRIPT and "interrupts = <0 89 4>" in text  # 121 of the GIC, level
    (widths,) = re.findall(r"config-afi = (.*);", text)
    pairs = dict(re.findall(r"<(\d+) (\d+)>", widths))
    assert pairs == {"14": "0"} | {str(number): "0" for number in range(4, 4 + 2 * BOARD.build.ports)}
    assert [int(bits) for bits in re.findall(r"SAXIGP\d__DATA_WIDTH (\d+)", SCRIPT)] == [128] * BOARD.build.ports
    assert 'firmware-name = "tritloom.bit.bin"' in text


@pytest.mark.skipif(shutil.which("dtc") is None, reason="needs dtc (Debian: apt install device-tree-compiler)")
def test_it_compiles(tmp_path):
    (tmp_path / "tritloom.dtso").write_text(overlay(BOARD.build))
    done = subprocess.run(["dtc", "-@", "-I", "dts", "-O", "dtb", "-o", "tritloom.dtbo", "tritloom.dtso"],
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tritloom.dtbo").read_bytes().startswith(bytes.fromhex("d00dfeed"))
