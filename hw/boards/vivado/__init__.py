"""Vivado's part of a build that all Xilinx boards share: scripts that `hw.build` puts beside a board's own."""

from __future__ import annotations

from pathlib import Path

__all__ = ["VIVADO_SCRIPTS", "ZYNQ_ULTRASCALE_SCRIPTS"]

_FOLDER = Path(__file__).parent

VIVADO_SCRIPTS = tuple(sorted(_FOLDER.glob("*.tcl")))
ZYNQ_ULTRASCALE_SCRIPTS = (*VIVADO_SCRIPTS, _FOLDER / "processors" / "zynq_ultrascale.tcl")
"""And the processing system of these chips, which most of their boards have alike."""
