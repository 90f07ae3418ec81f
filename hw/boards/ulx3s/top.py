"""Verilog of the ULX3S's top module: clocks, reset and pads around the accelerator with its link and memory."""

from __future__ import annotations

from models.machine.build import BuildParameters

__all__ = ["top"]


def top(build: BuildParameters) -> str:
    """Module `tritloom_top`, whose ports are the names in `ulx3s.lpf`."""
    raise NotImplementedError
