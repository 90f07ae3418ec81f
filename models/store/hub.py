"""Models of the Hugging Face hub: `hf:ORG/NAME`, with `@REVISION` and `:FILE` where need be.

The download is huggingface_hub's, into its own cache (`HF_HOME`), with its token and its settings (`HF_HUB_OFFLINE`).
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.byte_size import byte_size
from models.errors import ModelError, located
from models.store.gguf_choice import choose_gguf

__all__ = ["HUB", "HubName", "download", "snapshot_of"]

HUB = "hf:"
"""What a name on the hub begins with."""

_NAME = re.compile(rf"{HUB}([\w.-]+/[\w.-]+)(?:@([^:]+))?(?::(.+))?", re.ASCII)
_FIRST = ("config.json", "generation_config.json", "README.md", "LICENSE", "tokenizer*", "special_tokens_map.json",
          "added_tokens.json", "chat_template.*", "vocab.json", "merges.txt", "tekken.json", "magic.json",
          "model.safetensors.index.json")
"""Small files, by which a repository is refused before the weights come."""

_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
_SHOWN = 5  # names in an error
_LONGEST_REASON = 120  # characters
_TIMEOUT = 10.0  # seconds for an answer about a repository


@dataclass(frozen=True)
class HubName:
    """repository: ORG/NAME; revision: a branch, tag or commit; file: one of its GGUF files."""

    repository: str
    revision: str | None = None
    file: str | None = None

    @classmethod
    def parse(cls, text: str) -> HubName:
        """`ModelError` for a text that is no such name."""
        if not (found := _NAME.fullmatch(text)):
            raise ModelError(f"{text}: expected {HUB}ORG/NAME, {HUB}ORG/NAME@REVISION or {HUB}ORG/NAME:FILE.gguf")
        return cls(*found.groups())

    def __str__(self) -> str:
        revision, file = f"@{self.revision}" if self.revision else "", f":{self.file}" if self.file else ""
        return f"{HUB}{self.repository}{revision}{file}"


def download(name: HubName) -> Path:
    """A Hugging Face folder or a GGUF file, whatever the repository has; what is there already is not fetched again.

    Without a network, what was downloaded before. `ModelError` where there is no such repository, revision or file, no
    model in it, no right to it, no room, or no network.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache  # late: a second, and only here
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    from models.formats.huggingface_config import read_config

    with _refused(name):
        try:
            info = HfApi(_endpoint()).model_info(name.repository, revision=name.revision, files_metadata=True,
                                                 timeout=_TIMEOUT)
        except (RepositoryNotFoundError, RevisionNotFoundError):  # an answer
            raise
        except _no_network() as error:
            return _kept(name, error)
        sizes = {item.rfilename: item.size or 0 for item in info.siblings or ()}
        first, weights = _wanted(name, list(sizes))
        _announce(name, sum(sizes[file] for file in (*first, *weights) if not isinstance(
            try_to_load_from_cache(name.repository, file, revision=info.sha), str)))
        if not first:
            return _fetched(name, weights) / weights[0]
        folder = _fetched(name, first)
        with located(name):
            read_config(folder / "config.json", sub_norms=True, own_head=True)  # refuses what is not ternary
        return _fetched(name, weights)


def _announce(name: HubName, missing: int) -> None:
    """Says how many bytes come; `ModelError` where they have no room."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    free = shutil.disk_usage(next(place for place in (cache, *cache.parents) if place.exists())).free
    if free < missing:
        raise ModelError(f"{name}: it takes {byte_size(missing)}, and the disk of {cache} has {byte_size(free)} left")
    if missing:
        print(f"downloading {name}: {byte_size(missing)}, once", file=sys.stderr, flush=True)


def _fetched(name: HubName, files: Sequence[str]) -> Path:
    """The revision's folder, with these files in it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    silenced = not sys.stderr.isatty() and not are_progress_bars_disabled()
    if silenced:
        disable_progress_bars()
    try:
        return Path(snapshot_download(name.repository, revision=name.revision, endpoint=_endpoint(),
                                      allow_patterns=[glob.escape(file) for file in files]))
    finally:
        if silenced:
            enable_progress_bars()


def _endpoint() -> str | None:
    """The hub's address, as it is set now: the library looks when it is imported."""
    return os.environ.get("HF_ENDPOINT")


def _wanted(name: HubName, files: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of a repository's files those to come first and the weights; of a GGUF file none come first."""
    ggufs = [file for file in files if file.lower().endswith(".gguf")]
    if name.file is not None:
        if name.file not in ggufs:
            raise ModelError(f"{name}: there is no such GGUF file: it has {_some(ggufs) or 'none'}")
        return [], [name.file]
    for pattern in _WEIGHTS:
        if "config.json" in files and (weights := fnmatch.filter(files, pattern)):
            return [file for file in files if any(fnmatch.fnmatchcase(file, first) for first in _FIRST)], weights
    if chosen := choose_gguf(ggufs):
        return [], [chosen]
    if ggufs:
        raise ModelError(f"{name}: it holds {_some(ggufs)}: name one, as {HUB}{name.repository}:FILE")
    raise ModelError(f"{name}: it holds no model: neither config.json with model.safetensors nor a GGUF file, but "
                     f"{_some(files) or 'nothing'}")


def snapshot_of(cached: Path, revision: str | None = None) -> Path | None:
    """Of a repository's folder in a hub's cache the revision that is meant; None where it is not there.

    Without a name that of its main branch, else the newest.
    """
    folder, named = cached / "snapshots", cached / "refs" / (revision or "main")
    there = {item.name: item for item in folder.iterdir() if item.is_dir()} if folder.is_dir() else {}
    commit = named.read_text(encoding="utf-8").strip() if named.is_file() else revision
    if revision is not None or commit in there:
        return there.get(commit)
    return max(there.values(), key=lambda item: item.stat().st_mtime, default=None)


def _kept(name: HubName, error: Exception) -> Path:
    """What an earlier download left."""
    from huggingface_hub import constants

    place = Path(constants.HF_HUB_CACHE) / f"models--{name.repository.replace('/', '--')}"
    folder = snapshot_of(place, name.revision)
    found = folder / name.file if folder is not None and name.file is not None else folder
    if found is None or not found.exists():
        raise ModelError(f"{name}: the hub cannot be reached, and nothing of it is here: {_reason(error)}") from None
    print(f"note: the hub cannot be reached: {name} is taken as it was downloaded", file=sys.stderr)
    return found


@contextmanager
def _refused(name: HubName) -> Iterator[None]:
    """What the hub answers, as one line."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        raise ModelError(f"{name}: its owner asks for consent first: give it on its page, then log in with "
                         "hf auth login") from None
    except errors.RepositoryNotFoundError:
        raise ModelError(f"{name}: the hub has no such repository, or it is private: hf auth login") from None
    except errors.RevisionNotFoundError:
        raise ModelError(f"{name}: the repository has no revision {name.revision}") from None
    except _no_network() as error:
        raise ModelError(f"{name}: the download failed: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """The end of what it says, which has the cause."""
    return " ".join(str(error).split())[-_LONGEST_REASON:]


def _no_network() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises where it does not get through, whichever client is below it."""
    from huggingface_hub import errors

    return OSError, *errors.HfHubHTTPError.__bases__


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + ("…" if len(names) > _SHOWN else "")
