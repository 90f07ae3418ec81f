"""Checkpoints converted once: a folder each in the cache, keyed by the content of the source and by the converter.

`models/KEY/` in the cache folder holds `model/`, a model folder like any other, and `entry.json`, which says what it
was made from. The user's own files are only read. When a model was last used is the folder's own time.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from models.cache import cache_root, cached, digest, forget
from models.checkpoint_writer import METADATA
from models.config import PRESETS, SHIPPED
from models.errors import ModelError, printable
from models.json_file import read_object
from models.store.content import checkpoint_files, known_sha256, stamp_of, weight_files

__all__ = ["Entry", "converted", "entries", "find_entry", "refresh", "remove"]

_KIND, _MODEL, _ENTRY = "models", "model", "entry.json"
_KEY = re.compile(r"[0-9a-f]{32}")
_SHORTEST_KEY = 6  # digits of a key that stand for all of it
_PACKAGE = Path(__file__).resolve().parents[1]
_DECIDES = ("*.py", "formats/*.py", "vocabulary/*.py")
"""Files of ours on which the result of a conversion may depend."""


@dataclass(frozen=True)
class Entry:
    """A converted checkpoint.

    name: short, what the user may call it; source: what it was made from, as it was named; path: where that lay;
    content: hash of the source; converter: hash of what converted it; made: seconds since 1970.
    """

    key: str
    name: str
    source: str
    path: str
    content: str
    converter: str
    made: float

    @property
    def home(self) -> Path:
        """The folder with all of it."""
        return cache_root() / _KIND / self.key

    @property
    def folder(self) -> Path:
        """The model folder."""
        return self.home / _MODEL

    @property
    def used(self) -> float:
        """When it was last loaded, in seconds since 1970."""
        return self.home.stat().st_mtime

    @property
    def bytes(self) -> int:
        """What it takes on the disk."""
        return sum(path.stat().st_size for path in self.home.rglob("*") if path.is_file())

    def use(self) -> Path:
        """The model folder, and from now on it was used now."""
        with suppress(OSError):  # a cache that only others may write to
            os.utime(self.home)
        return self.folder


def entries() -> list[Entry]:
    """All that is there, by name."""
    found = [_read(home) for home in (cache_root() / _KIND).glob("*/") if _KEY.fullmatch(home.name)]
    return sorted((entry for entry in found if entry is not None), key=lambda entry: (entry.name, entry.made))


def find_entry(name: str) -> Entry | None:
    """That of a short name, or of a key or its first digits; None for none. `ModelError` where several have it."""
    known = entries()
    found = [entry for entry in known if entry.name == name.lower()] or [
        entry for entry in known if len(name) >= _SHORTEST_KEY and entry.key.startswith(name.lower())]
    if len(found) > 1:
        raise ModelError(f"{len(found)} converted models are called {name}: use the key of one, "
                         f"{' or '.join(entry.key[:12] for entry in found)}")
    return found[0] if found else None


def converted(path: Path, source: str) -> Path:
    """The model folder of a GGUF file or a Hugging Face folder, converted now if it was not before.

    source: how to name it to the user. Says on standard error what takes long. `ModelError` as `models.convert`.
    """
    files = checkpoint_files(path)
    before = [stamp_of(file) for file in files]
    hashes = known_sha256(files, progress=True)
    content = digest(*(hashes.items() if path.is_dir() else hashes.values()))  # what a file is called says nothing
    key = digest(content, _converter())
    weights = {file.name: hashes[file.name] for file in weight_files(path) if file.name in hashes}

    def build(scratch: Path) -> None:
        from models.convert import convert, report  # late: a model that is there needs no reader

        print(printable(f"converting {source}, once"), file=sys.stderr, flush=True)
        try:
            convert(path, scratch / _MODEL, progress=True, sha256=weights)
        except ModelError as error:
            if "give --activation" not in str(error):
                raise
            raise ModelError(f"{error}, to models.convert") from None  # which alone has that option
        if before != [stamp_of(file) for file in files]:
            raise ModelError(f"{path}: it was written to while it was converted: try again")
        name = _free_name(scratch / _MODEL, key)
        entry = Entry(key, name, source, str(path.absolute()), content, _converter(), time.time())
        (scratch / _ENTRY).write_text(json.dumps(asdict(entry), indent=1) + "\n", encoding="utf-8")
        for note in report(scratch / _MODEL)["notes"]:
            print(printable(f"note: {source}: {note}"), file=sys.stderr)
        print(f"converted: {name}, listed by tritloom models", file=sys.stderr, flush=True)

    home = cached(_KIND, key, build)
    entry = _read(home)
    if entry is None:  # not ours, or damaged from outside
        raise ModelError(f"{home} is damaged: remove that folder")
    for old in entries():
        if old.content == content and old.key != key:  # of another converter
            forget(_KIND, old.key)
    return entry.use()


def refresh(entry: Entry) -> Path:
    """The model folder of an entry, made anew where another version of this project made it and its source is there."""
    if entry.converter != _converter() and Path(entry.path).exists():
        return converted(Path(entry.path), entry.source)
    return entry.use()


def remove(entry: Entry) -> None:
    """Take it out of the cache; its source stays. Whoever runs it keeps it until they end."""
    forget(_KIND, entry.key)


def _read(home: Path) -> Entry | None:
    """None for what is no entry, or is gone by now."""
    try:
        data = json.loads((home / _ENTRY).read_text(encoding="utf-8"))
        return Entry(**data) if (home / _MODEL / METADATA).is_file() and data["key"] == home.name else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _free_name(folder: Path, key: str) -> str:
    """A short name after the model's own that no other has."""
    own = str(read_object(folder / METADATA)["config"]["name"]).lower()
    name = re.sub(r"[^a-z0-9._-]+", "-", own).strip("-.") or "model"
    taken: Sequence[str] = [*SHIPPED, *PRESETS, *(entry.name for entry in entries())]
    return name if name not in taken else f"{name}-{key[:_SHORTEST_KEY]}"


@cache
def _converter() -> str:
    """Hash of the code that converts."""
    files = sorted(path for pattern in _DECIDES for path in _PACKAGE.glob(pattern))
    return digest(*((path.relative_to(_PACKAGE).as_posix(), path.read_bytes()) for path in files))
