"""The RFSoC 4x2's data: described, neither simulated, synthesised nor run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hw.boards.board import Board
from hw.boards.device import Device, Resources
from hw.boards.kv260.board import BOARD as KV260
from hw.boards.technology import ULTRASCALE_PLUS

__all__ = ["BOARD"]

BOARD = Board(
    name="rfsoc4x2",
    folder=Path(__file__).parent,
    missing="it has no Vivado scripts yet, and was neither simulated nor synthesised",
    device=Device("XCZU48DR", "xczu48dr-ffvg1517-2-e", ULTRASCALE_PLUS,  # DS889
                  Resources(lut=425_280, lutram=213_600, ff=850_560, dsp=4_272, bram36=1_080, uram=80)),
    ports=KV260.ports,  # the processing system is the KV260's
    memory=KV260.memory,  # DDR4-2400, 64 bits, taken as no faster
    build=replace(KV260.build, name="rfsoc4x2"),
)
