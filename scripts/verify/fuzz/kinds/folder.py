"""Files of a case on disk; in place of one there may be something that is no file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from random import Random

__all__ = ["write_folder"]

_ODD = 0.03  # share of the damaged folders in which something is no file


def write_folder(folder: Path, files: Mapping[str, bytes], rng: Random, damaged: bool) -> None:
    """Make `folder` with these files."""
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    if damaged and files and rng.random() < _ODD:
        path = folder / rng.choice([*files])
        path.unlink()
        match rng.randrange(6):
            case 0:
                path.mkdir()
            case 1:
                os.mkfifo(path)
            case 2:
                path.symlink_to("/dev/zero")
            case 3:
                path.symlink_to(path.name)
            case 4:
                path.symlink_to("nowhere")
            case 5:
                path.symlink_to("..")
