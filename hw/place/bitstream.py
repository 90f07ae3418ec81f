"""The bitstream of a board with a serial line: its system and top module, synthesised, placed and routed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.boards.board import Board
from hw.place.nextpnr import CROWDED, SEEDS, Placed, Request, place
from hw.place.pll import PLL, pll_verilog
from hw.synthesis.yosys import Run, synthesise
from models.errors import BuildError
from models.machine.build import BuildParameters

__all__ = ["MEMORY_PADS", "TOP_MODULE", "WORST", "Bitstream", "board_sources", "check_timing", "make_bitstream"]

TOP_MODULE = "tritloom_top"
MEMORY_PADS = "sdram_"
"""How the SDRAM's ports and pads begin in a board's top module."""
WORST = 5
"""Paths that are told."""


@dataclass(frozen=True)
class Bitstream:
    """run: of Yosys. placed: of nextpnr, with the bitstream itself."""

    run: Run
    placed: Placed

    def to_json(self) -> dict[str, object]:
        """What accel.json says of it: achieved clock, seed, versions of the tools."""
        return {"clock_mhz_achieved": self.placed.clock_mhz, "seed": self.placed.seed,
                "yosys": self.run.yosys, "nextpnr": self.placed.nextpnr}

    def report(self) -> str:
        """Achieved clock, sites and worst paths, a line each."""
        lines = [f"nextpnr {self.placed.nextpnr}, seed {self.placed.seed}: {self.placed.clock_mhz:g} MHz"]
        lines += [f"{name:14}{used:9}{available:9}{100 * used / available:7.1f} %"
                  for name, (used, available) in sorted(self.placed.sites.items())]
        memory = [ns for pad, ns in self.placed.pads.items() if pad.startswith(MEMORY_PADS)]
        lines += [f"{max(memory):.2f} ns at most between a register and a pad of the memory"] if memory else []
        return "\n".join([*lines, *map(str, self.placed.paths[:WORST])])


def board_sources(build: BuildParameters, board: Board) -> dict[str, str]:
    """Verilog around the system, by file name: the board's top module and its PLL."""
    serial = board.serial
    return {f"{TOP_MODULE}.v": serial.top(build),
            f"{PLL}.v": pll_verilog(serial.oscillator_mhz, build.clock_mhz, serial.memory_phase)}


def make_bitstream(build: BuildParameters, board: Board, verilog: str, seeds: Sequence[int] = SEEDS, *,
                   folder: Path | None = None, say: Callable[[str], None] = lambda line: None) -> Bitstream:
    """Of the system's Verilog (`hw.emit`), for the board's own clock. Runs are kept in the cache, or below `folder`.

    `BuildError` where the design does not fit. It may be too slow for the build (`check_timing`).
    """
    text = "\n".join([*board_sources(build, board).values(), verilog])
    run = synthesise(text, TOP_MODULE, board.technology, folder, say=say)
    pins = (board.folder / board.serial.constraints).read_text(encoding="utf-8")
    request = Request(run.netlist, board.device, build.clock_mhz, pins, rows=board.serial.floorplan,
                      router=CROWDED)
    return Bitstream(run, place(request, seeds, folder, say=say))


def check_timing(bitstream: Bitstream, build: BuildParameters, board: Board) -> None:
    """`BuildError` where the paths are too slow for the build's clock, or those to the memory's pads for its phase."""
    placed = bitstream.placed
    if placed.clock_mhz < build.clock_mhz:
        raise BuildError(f"the best placement of build {build.name} reaches {placed.clock_mhz:g} MHz, not "
                         f"{build.clock_mhz}: --seeds tries more of them")
    late = {pad: ns for pad, ns in placed.pads.items() if pad.startswith(MEMORY_PADS) and ns > board.serial.memory_ns}
    if late:
        pad = max(late, key=late.__getitem__)
        raise BuildError(f"pad {pad} is {late[pad]:g} ns from its register, more than {board.serial.memory_ns:g}: "
                         "--seeds tries more placements")
