"""A folder of built things on this machine, keyed by the content that made them.

``$TRITLOOM_CACHE`` names the folder; else it is ``tritloom`` under ``$XDG_CACHE_HOME`` or ``~/.cache``. Nothing
in it is ever changed once it is complete, and all of it may be deleted at any time.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["cache_root", "cached", "digest"]


def cache_root() -> Path:
    """The cache folder, made if it is missing."""
    named = os.environ.get("TRITLOOM_CACHE")
    if named:
        root = Path(named).expanduser().resolve()
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().resolve() / "tritloom"
    root.mkdir(parents=True, exist_ok=True)
    return root


def digest(*parts: object) -> str:
    """Hexadecimal key of a sequence of strings, bytes or nested tuples of them; order and borders count."""
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, (tuple, list)):
            data = digest(*part).encode()
        else:
            data = part if isinstance(part, bytes) else str(part).encode()
        state.update(len(data).to_bytes(8, "little") + data)
    return state.hexdigest()[:32]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder ``kind/key``, filled by ``build(folder)`` the first time only.

    ``build`` works in a temporary folder beside the final one and at the same depth; it takes its final name only
    once ``build`` has returned, so an interrupted build leaves nothing behind that a later call would trust.
    Processes that ask for the same key wait for the first one.
    """
    parent = cache_root() / kind
    folder = parent / key
    if folder.is_dir():
        return folder
    parent.mkdir(exist_ok=True)
    with _locked(parent / f"{key}.lock"):
        if not folder.is_dir():
            working = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=parent))
            try:
                build(working)
                working.rename(folder)
            except BaseException:
                shutil.rmtree(working, ignore_errors=True)
                raise
    return folder
