"""How a host reaches a board's fabric; the flow to a bitstream follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hw.boards.floorplan import BlockRow
from hw.sdram.timing import SdramTiming
from models.machine.build import BuildParameters

__all__ = ["Processor", "SerialLine"]


@dataclass(frozen=True)
class Processor:
    """By AXI, from a processing system on the same chip, whose memory the fabric shares: Vivado's block design.

    shared_files: of other boards' flows too. overlay: the device-tree source by which xmutil loads a build, None where
    a board has none.
    """

    shared_files: tuple[Path, ...] = ()
    overlay: Callable[[BuildParameters], str] | None = None


@dataclass(frozen=True)
class SerialLine:
    """By a serial line from another machine, with an SDRAM of the board's own: Yosys and nextpnr.

    baud: of the line, 8N1. sdram: timing of the chip, whose first byte has address 0. oscillator_mhz: of the clock that
    comes to the chip. memory_phase: degrees by which the SDRAM's clock follows the system's. memory_ns: what may lie
    between a register and a pad of the SDRAM for that phase. constraints: the file of the board's folder with pins, for
    nextpnr. top: the Verilog of module `tritloom_top`, which joins `hw.soc` with the
    board's pins, for a build. loader: what openFPGALoader calls the board. floorplan: rows of the chip's blocks.
    """

    baud: int
    oscillator_mhz: float
    sdram: SdramTiming
    memory_phase: int
    memory_ns: float
    constraints: str
    top: Callable[[BuildParameters], str]
    loader: str
    floorplan: tuple[BlockRow, ...] = ()
    shared_files: tuple[Path, ...] = ()
