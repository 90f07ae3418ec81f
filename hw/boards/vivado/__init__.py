"""Vivado's part of a build that all Xilinx boards share: scripts that `hw.build` puts beside a board's own."""

from __future__ import annotations

from pathlib import Path

__all__ = ["VIVADO_SCRIPTS"]

VIVADO_SCRIPTS = tuple(sorted(Path(__file__).parent.glob("*.tcl")))
