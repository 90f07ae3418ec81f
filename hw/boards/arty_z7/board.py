"""The Arty Z7-20's data: described, neither simulated, synthesised nor run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hw.boards.board import Board, Ports
from hw.boards.device import Device, Resources
from hw.boards.kv260.board import BOARD as KV260
from hw.boards.memory_rate import MemoryRate
from hw.boards.technology import SERIES_7

__all__ = ["BOARD"]

BOARD = Board(
    name="arty_z7",
    folder=Path(__file__).parent,
    missing="units for its 64-bit ports and its DSP48E1 are still to come",
    device=Device("XC7Z020", "xc7z020clg400-1", SERIES_7,  # DS190
                  Resources(lut=53_200, lutram=17_400, ff=106_400, dsp=220, bram36=140, uram=0)),
    ports=Ports(2, 128, "AXI3"),  # two 64-bit HP ports stand for a 128-bit one
    # 16 bits of DDR3-1050 are 2.1 GB/s at most, of which nine tenths are assumed
    memory=MemoryRate("simple", port_rate=128 / 129, limit_gb_s=1.9, latency_ns=200),
    build=replace(KV260.build, name="arty_z7", clock_mhz=100, ports=2, hidden_max=1536, inputs_max=4096),
)
