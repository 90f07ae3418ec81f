"""Where a board's bitstream lies, with what belongs beside it."""

from __future__ import annotations

import os
from pathlib import Path

from models.errors import DeviceError

__all__ = ["BITSTREAM_VARIABLE", "DESCRIPTION", "INSTALLED", "find_bitstream", "find_description"]

BITSTREAM_VARIABLE = "TRITLOOM_BITSTREAM"
DESCRIPTION = "accel.json"
"""Name of the description of the build that a bitstream is of, as `hw.build` wrote it."""


INSTALLED = Path(__file__).parent / "board" / "overlays"
"""Where an installation keeps it (`host.board.overlays`)."""
_NAME = "tritloom.bit"


def find_bitstream() -> Path:
    """The bitstream to load: the one that the environment names, else that of the working directory, else the installed
    one. `DeviceError` where it or one of the files beside it is missing."""
    installed = INSTALLED / _NAME
    path = Path(os.environ.get(BITSTREAM_VARIABLE) or (installed if installed.is_file() and not Path(_NAME).is_file()
                                                       else _NAME))
    if not path.is_file():
        raise DeviceError(f"no bitstream {path}: build one (docs/board.md) and name it in {BITSTREAM_VARIABLE}")
    for beside in (path.with_suffix(".hwh"), path.with_name(DESCRIPTION)):
        if not beside.is_file():
            raise DeviceError(f"{beside} is missing: it belongs beside {path.name}")
    return path


def find_description() -> Path:
    """The accel.json of a bitstream that is on a board already: beside the one that the environment names, else in the
    working directory, else installed. `DeviceError` where there is none."""
    named = os.environ.get(BITSTREAM_VARIABLE)
    for folder in [Path(named).parent] if named else [Path(), INSTALLED]:
        if (path := folder / DESCRIPTION).is_file():
            return path
    raise DeviceError(f"no {DESCRIPTION}{f' beside {named}' if named else ' here'}: name with --build the one that "
                      f"hw.build wrote for the board's bitstream, or in {BITSTREAM_VARIABLE} the bitstream beside it")
