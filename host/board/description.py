"""accel.json, which says what build a bitstream is of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from models.errors import DeviceError
from models.machine.build import BuildParameters

__all__ = ["Description", "read_description"]


class Description(NamedTuple):
    """word: what the BUILD register reads, the hash's first 32 bits. clock_mhz: for which timing was met."""

    word: int
    clock_mhz: float


def read_description(path: Path, build: BuildParameters) -> Description:
    """What accel.json says; `DeviceError` where it is damaged or of another build than `build`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        parameters = dict(content["parameters"])
        found = Description(int(str(content["hash"])[:8], 16), float(content["clock_mhz"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeviceError(f"{path} is not the description of a build: {error!r}") from None
    for name, value in build.to_json().items():
        if parameters.get(name) != value:
            raise DeviceError(f"{path}: the bitstream's {name} is {parameters.get(name)!r}, but board {build.name} has "
                             f"{value!r}: choose the --board that it was built for, or --build {path}")
    return found
