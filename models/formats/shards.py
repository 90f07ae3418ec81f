"""The tensors of a Hugging Face folder, whether in one file or in shards with an index."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from models.errors import ModelError
from models.formats.source import LazyRows
from models.formats.zeros import ZeroTensors
from models.json_file import read_object
from models.safetensors_file import SafetensorsFile

__all__ = ["Shards"]

_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_INSTEAD = {"pytorch_model*.bin": ": save the model as safetensors", "consolidated*": ": convert it with transformers",
            "adapter_model.*": ", an adapter: merge it into its model", _SINGLE: ", a link to what is not there",
            "*.safetensors": "", "*.bin": ": save the model as safetensors", "*.pt*": ": save the model as safetensors"}
"""Weights that are not read: patterns of their names, and what to do."""

_IGNORED = re.compile(r"\.rotary_emb\.inv_freq$")  # a buffer that old versions saved


class Shards(Mapping[str, SafetensorsFile]):
    """Names of tensors to the files that hold them. Errors name file, tensor, what was expected and found.

    A single file goes before an index, as transformers has it: one beside it is a leftover. zeros: what was read of
    tables and vectors of zeros alone.
    """

    def __init__(self, folder: Path):
        self.zeros = ZeroTensors()
        if (folder / _SINGLE).exists():
            self._listing = folder / _SINGLE
            file = SafetensorsFile(self._listing)
            self._files = dict.fromkeys(file, file)
        elif (folder / _INDEX).exists():
            self._listing = folder / _INDEX
            self._files = _indexed(self._listing)
        else:
            raise ModelError(f"{folder}: expected {_SINGLE} or {_INDEX}, found {_instead(folder)}")

    def __getitem__(self, name: str) -> SafetensorsFile:
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def error(self, name: str, what: str) -> ModelError:
        """An error about one tensor, to be raised."""
        return ModelError(f"{self[name].path if name in self else self._listing}: tensor {name}: {what}")

    def check(self, required: Iterable[tuple[str, tuple[int, ...]]], optional: Iterable[str] = ()) -> None:
        """All required tensors are there, in their shapes, and no unknown one: what nobody reads would change the
        model."""
        known = set(optional)
        for name, shape in required:
            if name not in self:
                raise self.error(name, "is missing")
            self.stored(name, *shape)
            known.add(name)
        for name in sorted(self.keys() - known):
            if not _IGNORED.search(name):
                found = "a bias" if name.endswith(".bias") else "an unknown tensor"
                raise self.error(name, f"expected the tensors of a ternary decoder without biases, found {found}")

    def dtype(self, name: str) -> str:
        """The stored type by its safetensors name."""
        return self[name][name].dtype

    def stored(self, name: str, *shape: int) -> np.ndarray:
        """The tensor as stored, of exactly this shape."""
        found = self[name][name].shape
        if found != shape:
            raise self.error(name, f"expected shape {list(shape)}, found {list(found)}")
        return self[name].stored(name)

    def floats(self, name: str, *shape: int, rows: slice = slice(None)) -> np.ndarray:
        """A floating-point tensor in float32, of exactly this shape, or rows of it, all finite."""
        self.stored(name, *shape)
        values = self[name].float32(name, rows)
        if not np.isfinite(values).all():
            raise self.error(name, "expected finite numbers, found NaN or infinity")
        return values

    def vector(self, name: str, size: int) -> np.ndarray:
        """A floating-point vector in float32."""
        return self.zeros.look(name, self.floats(name, size))

    def table(self, name: str, rows: int, width: int) -> LazyRows:
        """A floating-point matrix that is read by rows; its shape is checked now, its values then."""
        self.stored(name, rows, width)

        def read(start: int, stop: int) -> np.ndarray:
            values = self.zeros.look(name, self.floats(name, rows, width, rows=slice(start, stop)))
            self.release()
            return values

        return LazyRows((rows, width), read)

    def release(self) -> None:
        """Give back the pages read so far; arrays stay valid."""
        for file in {file.path: file for file in self._files.values()}.values():
            file.release()


def _instead(folder: Path) -> str:
    """What a folder without weights that are read holds in their place, in words."""
    names = _names(folder)
    for pattern, what in _INSTEAD.items():
        if found := fnmatch.filter(names, pattern):
            return f"{found[0]}{what}"
    return "neither"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _indexed(index: Path) -> dict[str, SafetensorsFile]:
    weight_map = read_object(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise ModelError(f"{index}: weight_map: expected an object, found {type(weight_map).__name__}")
    for name, shard in weight_map.items():
        if not isinstance(shard, str) or not shard or Path(shard).name != shard:
            raise ModelError(f"{index}: tensor {name}: expected a file beside the index, found {shard!r}")
    shards = set(weight_map.values())
    if missing := sorted(shards.difference(_names(index.parent))):
        raise ModelError(f"{index}: expected the {len(shards)} files that it lists beside it, found "
                         f"{len(shards) - len(missing)}: {missing[0]} is missing")
    files: dict[str, SafetensorsFile] = {}
    for name, shard in weight_map.items():
        if shard not in files:
            files[shard] = SafetensorsFile(index.with_name(shard))
        if name not in files[shard]:
            raise ModelError(f"{files[shard].path}: tensor {name}: is missing, though {index.name} lists it")
    return {name: files[shard] for name, shard in weight_map.items()}
