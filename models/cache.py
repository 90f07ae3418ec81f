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

from models.errors import BuildError
from models.progress import working

__all__ = ["CACHE_VARIABLE", "cache_root", "cached", "digest", "forget"]

CACHE_VARIABLE = "TRITLOOM_CACHE"


def cache_root() -> Path:
    """The cache folder, made if it is missing; `BuildError` where that fails."""
    named, base = os.environ.get(CACHE_VARIABLE), os.environ.get("XDG_CACHE_HOME")
    root = Path(os.path.expanduser(named or os.path.join(base or "~/.cache", "tritloom")))
    if str(root).startswith("~"):
        raise BuildError(f"there is no home folder for the cache: name a folder in {CACHE_VARIABLE}")
    root = Path(os.path.realpath(root))
    with _refused(root):
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
def _refused(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BuildError(f"the cache folder {root} cannot be written ({error.strerror or error}): "
                         f"name another in {CACHE_VARIABLE}") from None


@contextlib.contextmanager
def _locked(root: Path, parent: Path, key: str) -> Iterator[None]:
    with _refused(root):
        parent.mkdir(parents=True, exist_ok=True)
        lock = open(parent / f"{key}.lock", "w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached(kind: str, key: str, build: Callable[[Path], None], *, what: str | None = None,
           root: Path | None = None) -> Path:
    """The folder ``kind/key``, filled by ``build(folder)`` the first time only. ``key`` is a `digest`, or has no dot.

    ``build`` works in a temporary folder beside the final one and at the same depth; it takes its final name only
    once ``build`` has returned, so an interrupted build leaves nothing behind that a later call would trust.
    What a build that was killed has left is taken away by the next. Processes that ask for the same key wait for the
    first one. Meanwhile standard error says ``what``, where it is
    given. ``root`` is a folder to keep it in, in place of the cache. `BuildError` where it cannot be kept.
    """
    root = root or cache_root()
    parent = root / kind
    folder = parent / key
    if folder.is_dir():
        return folder
    with _locked(root, parent, key), working(what) if what else contextlib.nullcontext():
        if not folder.is_dir():
            for left in parent.glob(f"{key}.*/"):
                shutil.rmtree(left, ignore_errors=True)
            with _refused(root):
                scratch = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=parent))
            try:
                build(scratch)
                scratch.rename(folder)
            except BaseException:
                shutil.rmtree(scratch, ignore_errors=True)
                raise
    return folder


def forget(kind: str, key: str) -> None:
    """Remove the folder ``kind/key``, whole at once for whoever asks for it meanwhile. `BuildError` where that fails.

    Files of it that a process has open, or mapped, stay readable there.
    """
    root = cache_root()
    folder = root / kind / key
    with _locked(root, folder.parent, key), _refused(root):
        if folder.is_dir():
            leaving = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=folder.parent))
            folder.rename(leaving / key)
            shutil.rmtree(leaving)
