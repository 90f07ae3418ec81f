"""An FST file as a viewer's library reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pylibfst

__all__ = ["WavesFile", "read_waves"]


@dataclass
class WavesFile:
    """Times in the file's own unit; changes: (time, value) of each signal by its path, the width left out."""

    begin: int
    end: int
    changes: dict[str, list[tuple[int, str]]] = field(default_factory=dict)


def read_waves(path: Path) -> WavesFile:
    """All of a file. `ValueError` where it is none."""
    lib = pylibfst.lib
    reader = lib.fstReaderOpen(str(path).encode())
    if reader == pylibfst.ffi.NULL:
        raise ValueError(f"{path} is no FST file")
    try:
        _, signals = pylibfst.get_scopes_signals2(reader)
        found = WavesFile(lib.fstReaderGetStartTime(reader), lib.fstReaderGetEndTime(reader))
        by_handle: dict[int, list[tuple[int, str]]] = {}
        for name, signal in signals.by_name.items():
            found.changes[name.partition(" [")[0]] = by_handle.setdefault(signal.handle, [])
        lib.fstReaderSetFacProcessMaskAll(reader)
        pylibfst.fstReaderIterBlocks(
            reader, lambda _, time, handle, value: by_handle[handle].append((time, pylibfst.helpers.string(value))))
        return found
    finally:
        lib.fstReaderClose(reader)
