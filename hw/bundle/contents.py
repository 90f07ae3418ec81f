"""What a bundle holds: the bitstream with what describes it, wheel, model, and the files that install them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from hw.boards.attachment import Processor
from hw.boards.board import Board
from hw.bundle.archive import write_archive
from hw.bundle.firmware import firmware
from hw.bundle.wheel import build_wheel
from models.checkpoint_writer import CHAT, METADATA, TENSORS, TOKENIZER
from models.errors import BuildError
from models.json_file import read_object
from models.machine.build import BuildParameters

__all__ = ["BITSTREAM", "bundle_name", "write_bundle"]

BITSTREAM = ("tritloom.bit", "tritloom.hwh")
"""What Vivado's run leaves beside accel.json and a board needs."""

_DESCRIPTION = "accel.json"
_FILES = Path(__file__).parent / "files"
_CONSTRAINTS = "numpy<2\n"
_SHELL = {"shell_type": "XRT_FLAT", "num_slots": "1"}  # of xmutil: one design that fills the fabric


def bundle_name(board: Board) -> str:
    """The archive's folder; its file is this with .tar.gz."""
    return f"tritloom-{board.name}"


def write_bundle(folder: Path, board: Board, build: BuildParameters, model: Path,
                 wheel: Callable[[], tuple[str, bytes]] = build_wheel) -> tuple[Path, list[str]]:
    """Write the archive of the build in `folder` and of a model's folder beside that build's files.

    wheel: gives the project's, name and content. Returns the archive, and those of the bitstream's files that are
    missing: they are left out unless all are there, and accel.json says that they are of this build. `BuildError` where
    they are damaged.
    """
    description = read_object(folder / _DESCRIPTION)
    missing = [name for name in BITSTREAM if not (folder / name).is_file()]
    if not missing and "vivado" not in description:
        missing = list(BITSTREAM)  # of another build, or not of Vivado's
    overlay = board.attachment.overlay if isinstance(board.attachment, Processor) else None
    name, content = wheel()
    files: dict[str, bytes | Path] = {
        name: content, _DESCRIPTION: folder / _DESCRIPTION, "constraints.txt": _CONSTRAINTS.encode()}
    files |= {path.name: path for path in _FILES.iterdir()}
    files |= {f"model/{part}": model / part for part in (METADATA, TENSORS, TOKENIZER, CHAT)
              if (model / part).is_file()}
    if overlay is not None:
        files |= {"xmutil/tritloom.dtso": overlay(build).encode(),
                  "xmutil/shell.json": (json.dumps(_SHELL, indent=1) + "\n").encode()}
    if not missing:
        files |= {part: folder / part for part in BITSTREAM}
        if overlay is not None:
            try:
                files["xmutil/tritloom.bit.bin"] = firmware((folder / BITSTREAM[0]).read_bytes())
            except BuildError as error:
                raise BuildError(f"{folder / BITSTREAM[0]}: {error}") from None
    archive = folder / f"{bundle_name(board)}.tar.gz"
    write_archive(archive, bundle_name(board), files)
    return archive, missing
