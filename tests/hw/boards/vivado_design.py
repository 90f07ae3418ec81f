"""What the scripts of a build make of it: Vivado's commands as they were called, beside the files they are of."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hw.axi_wrapper import WRAPPER, axi_wrapper
from hw.boards.board import Board
from hw.description.ip_xact import component_xml
from tests.hw.boards.processors import PROCESSORS, Processor
from tests.hw.boards.verilog_ports import Port, module_ports

__all__ = ["MET", "MISSED", "Call", "Design", "run", "write_folder"]

MET = "All user specified timing constraints are met."
MISSED = "Timing constraints are not met."

Call = tuple[str, ...]


def write_folder(folder: Path, board: Board, text: str, component: str, *, clock_mhz: int = 0) -> None:
    """What hw.build leaves, as far as the scripts look. text: of the wrapper; clock_mhz: the build's, unless given."""
    for file in board.files:
        shutil.copy(file, folder)
    (folder / "ip").mkdir()
    (folder / "ip" / "component.xml").write_text(component)
    (folder / "tritloom_axi.v").write_text(text)
    (folder / "tritloom.v").write_text("module tritloom(); endmodule\n")
    (folder / "accel.json").write_text(
        f'{{\n "hash": "00",\n "clock_mhz": {clock_mhz or board.build.clock_mhz},\n "parameters": {{}}\n}}\n')


def run(folder: Path, *arguments: str, script: str = "", progress: str = "100%", timing: str = MET,
        clock_mhz: float = 0, missing: str = "") -> tuple[subprocess.CompletedProcess[str], list[Call]]:
    """Run a script of a build's folder; its exit and every Vivado command with its words.

    clock_mhz: what the processing system gives, 250 or the board's own unless told; missing: address segments that it
    has not, a pattern.
    """
    log, script = folder / "vivado.log", script or next(folder.glob("build_*.tcl")).name
    own = 99.999 if "arty" in script else 249.9975
    environment = {"PROGRESS": progress, "TIMING": timing, "MISSING": missing,
                   "CLOCK_HZ": str(round((clock_mhz or own) * 1e6))}
    result = subprocess.run(["tclsh", Path(__file__).with_name("vivado_stub.tcl"), log, folder / script, *arguments],
                            env=os.environ | environment, capture_output=True, text=True, cwd=folder, timeout=60)
    return result, [tuple(line.split("\x1f")) for line in log.read_text().splitlines()]


@dataclass(frozen=True)
class Design:
    """text: the wrapper; component: its component.xml; core: ports of the generated module; calls: of the script that
    builds the bitstream."""

    board: Board
    text: str
    component: str
    core: dict[str, Port]
    calls: list[Call] = field(repr=False)

    @classmethod
    def of(cls, board: Board, core: dict[str, Port], calls: list[Call]) -> Design:
        """As hw.build makes it."""
        return cls(board, axi_wrapper(board.build.ports, board.ports),
                   component_xml(board.build, board, WRAPPER, ["tritloom.v", "tritloom_axi.v"]), core, calls)

    @property
    def processor(self) -> Processor:
        return PROCESSORS[self.board.name]

    @cached_property
    def wrapper(self) -> dict[str, Port]:
        return module_ports(self.text, WRAPPER)

    def configuration(self, cell: str) -> dict[str, str]:
        """CONFIG properties that the script sets on a cell."""
        found: dict[str, str] = {}
        for call in self.calls:
            if call[:2] == ("set_property", "-dict") and call[3] == cell:
                words = call[2].split()
                found |= {name.removeprefix("CONFIG."): value
                          for name, value in zip(words[::2], words[1::2], strict=True)}
        return found

    @property
    def cells(self) -> dict[str, str]:
        """Cell: VLNV without version, or the module it refers to."""
        return {call[-1]: call[-2] for call in self.calls if call[0] == "create_bd_cell"}

    def nets(self, command: str) -> list[Call]:
        return [call[1:] for call in self.calls if call[0] == command]
