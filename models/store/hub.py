"""Models of the Hugging Face hub: `hf:ORG/NAME`, with `@REVISION` and `:FILE` where need be.

The download is huggingface_hub's, into its own cache (`HF_HOME`), with its token and its settings (`HF_HUB_OFFLINE`).
"""

from __future__ import annotations

import fnmatch
import glob
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelError, located
from models.store.gguf_choice import choose_gguf

__all__ = ["HUB", "HubName", "download"]

HUB = "hf:"
"""What a name on the hub begins with."""

_NAME = re.compile(rf"{HUB}([\w.-]+/[\w.-]+)(?:@([^:]+))?(?::(.+))?", re.ASCII)
_FIRST = ("config.json", "generation_config.json", "README.md", "LICENSE", "tokenizer*", "special_tokens_map.json",
          "added_tokens.json", "chat_template.*", "vocab.json", "merges.txt", "tekken.json", "magic.json",
          "model.safetensors.index.json")
"""Small files, by which a repository is refused before the weights come."""

_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
_SHOWN = 5  # names in an error
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
    from huggingface_hub import HfApi, snapshot_download  # late: a second, and only here
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    with _refused(name):
        try:
            info = HfApi().model_info(name.repository, revision=name.revision, files_metadata=True, timeout=_TIMEOUT)
        except (RepositoryNotFoundError, RevisionNotFoundError):  # an answer
            raise
        except _no_network() as error:
            return _kept(name, error)
        sizes = {item.rfilename: item.size or 0 for item in info.siblings or ()}
        first, weights = _wanted(name, list(sizes))
        for files in filter(None, (first, weights)):
            _check_room(name, sum(sizes[file] for file in files))
            if files is weights:
                total = sum(sizes[file] for file in weights) / 1e9
                print(f"downloading {name}: {total:.2f} GB, once", file=sys.stderr, flush=True)
            with _bars_on_terminals_alone():
                folder = Path(snapshot_download(name.repository, revision=info.sha,
                                                allow_patterns=[glob.escape(file) for file in files]))
            if files is first:
                from models.formats.huggingface_config import read_config  # late: so are all readers

                with located(name):
                    read_config(folder / "config.json", sub_norms=True, own_head=True)  # refuses what is not ternary
    return folder if first else folder / weights[0]


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


def _kept(name: HubName, error: Exception) -> Path:
    """What an earlier download left."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name.repository, revision=name.revision, local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        why = " ".join(str(error).split())[:200]
        raise ModelError(f"{name}: the hub cannot be reached, and nothing of it is here: {why}") from None
    print(f"note: the hub cannot be reached: {name} is taken as it was downloaded", file=sys.stderr)
    if name.file is None:
        return folder
    if not (folder / name.file).is_file():
        raise ModelError(f"{name}: the hub cannot be reached, and that file was not downloaded before")
    return folder / name.file


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
        raise ModelError(f"{name}: the download failed: {' '.join(str(error).split())[:200]}") from None


def _no_network() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises where it does not get through, whichever client is below it."""
    from huggingface_hub import errors

    return OSError, *errors.HfHubHTTPError.__bases__


def _check_room(name: HubName, needed: int) -> None:
    from huggingface_hub import constants

    there = next(place for place in (Path(constants.HF_HUB_CACHE), *Path(constants.HF_HUB_CACHE).parents)
                 if place.exists())
    if (free := shutil.disk_usage(there).free) < needed:
        raise ModelError(f"{name}: it takes {needed / 1e9:.2f} GB, and the disk of {there} has {free / 1e9:.2f} GB "
                         "left")


@contextmanager
def _bars_on_terminals_alone() -> Iterator[None]:
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    silenced = not sys.stderr.isatty() and not are_progress_bars_disabled()
    if silenced:
        disable_progress_bars()
    try:
        yield
    finally:
        if silenced:
            enable_progress_bars()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + ("…" if len(names) > _SHOWN else "")
