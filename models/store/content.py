"""What lies in a checkpoint's files: SHA-256 of each, as `sha256sum` and the hub show it.

A gigabyte takes a second or two, so what was read is remembered in the cache folder, in `sources/`, for as long as the
file's size, times and place on the disk stay the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from models.cache import cache_root, digest
from models.errors import ModelError

__all__ = ["Stamp", "checkpoint_files", "known_sha256", "sha256_of", "stamp_of", "weight_files"]

Stamp = list[int]
"""Size, times of change (ns) and place of a file; one that is written to gets another."""

_READ = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors", "README.md", "LICENSE")  # of a folder, by readers
_SINGLE = "model.safetensors"
_PIECE = 1 << 20
_FRESH_NS = 2_000_000_000  # a file that is that young may be written to again without another time


def checkpoint_files(source: Path) -> list[Path]:
    """The files that a conversion may read: a GGUF file itself, those of a Hugging Face folder in order."""
    if source.is_file():
        return [source]
    return sorted({path for pattern in _READ for path in source.glob(pattern) if path.is_file()})


def weight_files(source: Path) -> list[Path]:
    """Those with the weights."""
    files = [path for path in checkpoint_files(source) if path == source or path.suffix == ".safetensors"]
    return [path for path in files if path.name == _SINGLE] or files


def stamp_of(path: Path) -> Stamp:
    """Of a file as it is now."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]


def sha256_of(files: Sequence[Path], *, progress: bool = False) -> dict[str, str]:
    """In hex, by the files' names. `ModelError` for one that cannot be read."""
    with tqdm(total=sum(map(_size, files)), desc="reading", unit="B", unit_scale=True, delay=1, leave=False,
              disable=None if progress else True) as bar:
        return {path.name: _sha256(path, bar) for path in files}


def known_sha256(files: Sequence[Path], *, progress: bool = False) -> dict[str, str]:
    """As `sha256_of`, but files that were read before are not read again."""
    found, notes = {}, {path: cache_root() / "sources" / digest(os.path.realpath(path)) for path in files}
    for path, note in notes.items():
        with suppress(OSError, ValueError, TypeError, KeyError):
            kept = json.loads(note.read_text(encoding="utf-8"))
            if kept["stamp"] == stamp_of(path):
                found[path.name] = str(kept["sha256"])
    missing = [path for path in files if path.name not in found]
    for path, stamp in [(path, stamp_of(path)) for path in missing if path.exists()]:
        found |= sha256_of([path], progress=progress)
        if stamp == stamp_of(path) and time.time_ns() - max(stamp[1:3]) > _FRESH_NS:
            _remember(notes[path], {"path": str(path), "stamp": stamp, "sha256": found[path.name]})
    return {path.name: found[path.name] for path in files if path.name in found}


def _sha256(path: Path, bar: tqdm) -> str:
    state, buffer = hashlib.sha256(), memoryview(bytearray(_PIECE))
    try:
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                state.update(buffer[:count])
                bar.update(count)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
    return state.hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _remember(note: Path, data: dict) -> None:
    """Whole or not at all; a cache that cannot be written to only costs time."""
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=note.parent, delete=False, encoding="utf-8") as new:
            json.dump(data, new)
        os.replace(new.name, note)
