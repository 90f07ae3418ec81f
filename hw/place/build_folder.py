"""A bitstream beside the Verilog that it was made of, and what is known of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from hw.place.bitstream import WORST, Bitstream
from hw.place.nextpnr import BITSTREAM
from models.json_file import read_object

__all__ = ["PLACE", "keep_bitstream"]

PLACE = "place.json"
"""What place and route gave: achieved clock, seed, sites, worst paths, ns of the worst one in each unit."""

_DESCRIPTION = "accel.json"


def keep_bitstream(folder: Path, made: Bitstream) -> None:
    """Write `BITSTREAM`, `PLACE` and what accel.json says of them into a build's folder, accel.json last."""
    description = read_object(folder / _DESCRIPTION) | {"placed": made.to_json()}
    placed = made.placed
    about = made.to_json() | {
        "sites": {name: {"used": used, "available": available} for name, (used, available) in placed.sites.items()},
        "paths": [path.to_json() for path in placed.paths[:WORST]],
        "units": {unit: path.ns for unit, path in placed.by_unit().items()}}
    with tempfile.TemporaryDirectory(prefix=".new.", dir=folder) as scratch:
        new = Path(scratch)
        shutil.copyfile(placed.folder / BITSTREAM, new / BITSTREAM)
        (new / PLACE).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        (new / _DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        for name in (BITSTREAM, PLACE, _DESCRIPTION):
            (new / name).replace(folder / name)
