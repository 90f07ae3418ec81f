"""The RFSoC 4x2's data. Simulated and rehearsed; no Vivado and no board has met it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hw.boards.attachment import Processor
from hw.boards.board import Board
from hw.boards.device import Device, Resources
from hw.boards.kv260.board import BOARD as KV260
from hw.boards.technology import ULTRASCALE_PLUS
from hw.boards.vivado import ZYNQ_ULTRASCALE_SCRIPTS

__all__ = ["BOARD"]

BOARD = Board(
    name="rfsoc4x2",
    folder=Path(__file__).parent,
    device=Device("XCZU48DR", "xczu48dr-ffvg1517-2-e", ULTRASCALE_PLUS,  # DS889
                  Resources(lut=425_280, lutram=213_600, ff=850_560, dsp=4_272, bram36=1_080, uram=80)),
    # the KV260's processing system, ports and PLLs, and DDR4-2400 on 64 bits too (RealDigital's preset)
    ports=KV260.ports,
    memory=KV260.memory,
    attachment=Processor(shared_files=ZYNQ_ULTRASCALE_SCRIPTS),
    # a token is as slow as that memory, whatever the chip; of a prompt, twice the rows share a weight. Batches of the
    # KV260's size, all at once
    build=replace(KV260.build, name="rfsoc4x2", rows=16, row_batches=1,
                  accumulator_words=KV260.build.batch_words),
    slower_clocks=KV260.slower_clocks,
    starts=KV260.starts,
)
