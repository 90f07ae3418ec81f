"""What was fitted to a model, on disk: one safetensors file for every kind and method.

Its metadata are text: `format` and `version` (of this layout), `kind` and `method`, `sites` (those at which it acts,
with commas between), `model` (`models.model_hash` of the model that it was fitted to) and `fit`, a JSON object that
says how and on what. Tensors are float32, finite, in the float model's units.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from host.pipeline.site import Site
from models.errors import ArtefactError, ModelError, OptionError
from models.safetensors_file import SafetensorsFile

__all__ = ["Artefact", "save_artefact"]

FORMAT, VERSION = "tritloom-artefact", "1"


def save_artefact(path: Path, kind: str, method: str, sites: Sequence[str], tensors: Mapping[str, np.ndarray], *,
                  model: str, fit: Mapping[str, object]) -> None:
    """Write fitted parameters; `OptionError` where `path` cannot be written. model: the hash; fit: ready for JSON."""
    metadata = {"format": FORMAT, "version": VERSION, "kind": kind, "method": method, "sites": ",".join(sites),
                "model": model, "fit": json.dumps(fit)}
    data = save({name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}, metadata)
    try:
        path.write_bytes(data)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise OptionError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from None


class Artefact:
    """A file whose tensors are taken by name; `end` refuses what nobody took, or what is of another model.

    `kind` and `method` are as saved, `sites` are known. Every `ArtefactError` names the file and the entry that is
    wrong.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self._file = SafetensorsFile(path)
            with safe_open(path, framework="numpy") as header:
                self._metadata = header.metadata() or {}
        except (ModelError, OSError, SafetensorError) as error:
            raise ArtefactError(f"cannot read artefact {error}") from None
        if (version := self._metadata.get("version", VERSION)) != VERSION:
            raise ArtefactError(f"{path}: version: expected {VERSION}, found {version!r} of an artefact's layout")
        self.version = version
        self.kind, self.method = self._text("kind"), self._text("method")
        self.sites = tuple(self._site(name) for name in self._text("sites").split(","))
        self._left = set(self._file)

    @property
    def model(self) -> str:
        """Hash of the model that it was fitted to; "" where none is named."""
        return self._metadata.get("model", "")

    @property
    def fit(self) -> dict[str, object]:
        """How and on what it was fitted."""
        try:
            found = json.loads(self._metadata.get("fit", "{}"))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ArtefactError(f"{self.path}: fit: expected a JSON object in its metadata")
        return found

    def tensors(self) -> Iterator[tuple[str, np.ndarray]]:
        """All tensors, as they are."""
        for name, entry in self._file.items():
            yield name, self.take(name, entry.shape)

    def take(self, name: str, shape: Sequence[int]) -> np.ndarray:
        """A tensor in float64, which must have this shape."""
        if name not in self._file:
            raise self._error(name, "is missing")
        found = self._file[name]
        if (found.dtype, found.shape) != ("F32", tuple(shape)):
            raise self._error(name, f"expected F32 {list(shape)}, found {found.dtype} {list(found.shape)}")
        array = self._file.stored(name)
        if not (finite := np.isfinite(array)).all():
            raise self._error(name, f"expected finite numbers, found {array[~finite][0]}")
        self._left.discard(name)
        return array.astype(np.float64)

    def end(self, model: str) -> None:
        """All is taken; `model` is the hash of the model that it is to act on."""
        if self._left:
            raise self._error(min(self._left), f"does not belong to {self.kind} by {self.method}")
        if "version" not in self._metadata or "model" not in self._metadata:
            raise ArtefactError(f"{self.path}: model is missing in its metadata: the hash of what it was fitted to; "
                                "fit it again")
        if (found := self._metadata["model"]) != model:
            raise ArtefactError(f"{self.path} was fitted to another model: its hash begins {found[:12]}, this one's "
                                f"{model[:12]}")

    def _site(self, name: str) -> Site:
        try:
            return Site(name)
        except ValueError:
            raise ArtefactError(f"{self.path}: sites: expected some of {', '.join(Site)}, found {name!r}") from None

    def _text(self, name: str) -> str:
        if name not in self._metadata:
            raise ArtefactError(f"{self.path} is no artefact: {name} is missing in its metadata")
        return self._metadata[name]

    def _error(self, name: str, what: str) -> ArtefactError:
        return ArtefactError(f"{self.path}: tensor {name}: {what}")
