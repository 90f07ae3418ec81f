"""Archives that are the same bytes whenever and by whomever they are made."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["SUMS", "write_archive"]

SUMS = "SHA256SUMS"
"""The list of the other files' hashes, as `sha256sum -c` reads it."""

_BLOCK = 1 << 20


def write_archive(path: Path, folder: str, files: Mapping[str, bytes | Path]) -> None:
    """A .tar.gz of `files`, by their names in its one folder, and of `SUMS`; whole or not at all.

    Sorted by name, of nobody, from 1970. Programs (.sh) can be run.
    """
    content = dict(files)
    content[SUMS] = "".join(f"{_digest(content[name])}  {name}\n" for name in sorted(content)).encode()
    descriptor, scratch = tempfile.mkstemp(prefix=".new.", dir=path.parent)
    try:
        with (os.fdopen(descriptor, "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
              tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive):
            for name in sorted(content):
                _add(archive, f"{folder}/{name}", content[name])
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def _add(archive: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o755 if name.endswith(".sh") else 0o644
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    else:
        with content.open("rb") as file:
            entry.size = os.fstat(file.fileno()).st_size
            archive.addfile(entry, file)


def _digest(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    with content.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
