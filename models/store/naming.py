"""What a model may be called: everything that `--model` and `tritloom.load` take."""

from __future__ import annotations

import os
import re
from pathlib import Path

from models.checkpoint_writer import METADATA, TENSORS
from models.config import PRESETS, SHIPPED, resolve_model
from models.errors import ModelError
from models.file_kind import GGUF_MAGIC, first_bytes
from models.store.converted import converted, entries, find_entry, refresh
from models.store.gguf_choice import choose_gguf
from models.store.hub import HUB, HubName, download, snapshot_of

__all__ = ["model_folder"]

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_LISTED = 5  # names in an error


def model_folder(name: str | Path) -> Path:
    """The folder of a model, converted first (`models.store.converted`) where it is not in this project's format.

    name: one that comes with the project (`SHIPPED`); `hf:ORG/NAME`; a converted folder, a GGUF file, a Hugging Face
    folder, a folder of a hub's cache, one with a GGUF file in it; or the short name of a converted model. What lies at
    a path goes before a short name. `ModelError` says what was looked for.
    """
    text = os.fspath(name)
    if text in SHIPPED:
        return SHIPPED[text]
    if text.startswith(HUB):
        return _from_hub(HubName.parse(text))
    path = Path(os.path.expanduser(text))
    if _exists(path):
        return _at(path, str(path.absolute()))
    if entry := find_entry(text):
        return refresh(entry)
    if text in PRESETS:
        return resolve_model(text)  # refused
    raise ModelError(f"no model folder at {text}, no file and no converted model of that name{_hint(text)}")


def _at(path: Path, source: str) -> Path:
    if path.is_file():
        if path.name in (METADATA, TENSORS) and (path.parent / METADATA).is_file():
            return path.parent
        if not first_bytes(path).startswith(GGUF_MAGIC):
            from models.formats import read_checkpoint  # late: it says what the file is

            read_checkpoint(path)
        return converted(path, source)
    if not path.is_dir():
        raise ModelError(f"{path}: expected a folder or a GGUF file, found neither")
    if os.path.lexists(path / METADATA):
        return path
    ggufs = [file.name for file in path.iterdir() if file.suffix.lower() == ".gguf"]
    if (path / "config.json").exists() and (not ggufs or any(path.glob("*.safetensors"))):
        return converted(path, source)
    if snapshot := snapshot_of(path):
        return _at(snapshot, source)
    if chosen := choose_gguf(ggufs):
        return converted(path / chosen, source)
    if ggufs:
        raise ModelError(f"{path} holds {_some(ggufs)}: name one of these files")
    raise ModelError(f"{path} is not a model: it has no {METADATA} (of this project), no config.json with "
                     "*.safetensors (Hugging Face), no *.gguf and no snapshots (a hub's cache)")


def _from_hub(name: HubName) -> Path:
    """What was converted stays what the name means until it is removed: no network is asked again."""
    known = [entry for entry in entries() if entry.source == str(name)]
    if known and (path := Path(known[-1].path)):
        return refresh(known[-1]) if path.exists() else known[-1].use()
    return _at(download(name), str(name))


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # a name that no file can have
        return False


def _hint(text: str) -> str:
    if _REPOSITORY.fullmatch(text) and not text.startswith("."):
        return f"; on the Hugging Face hub it is {HUB}{text}"
    return f"; there are {_some([*SHIPPED, *(entry.name for entry in entries())])}"


def _some(names: list[str]) -> str:
    names = sorted(names) if len(names) > _LISTED else names
    return ", ".join(names[:_LISTED]) + ("…" if len(names) > _LISTED else "")
