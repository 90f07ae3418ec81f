"""Failures of the tokenizers library, whose Rust code panics on some files and texts."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from models.errors import ModelError

__all__ = ["contained"]

_STDERR = 2  # the descriptor that Rust writes a panic's text to before Python hears of it
_PANIC = "PanicException"  # pyo3's; no subclass of Exception, and its module cannot be imported
_lock = threading.RLock()


@contextmanager
def contained(what: str) -> Iterator[None]:
    """Whatever the tokenizers library raises inside, panics too, becomes a `ModelError`: `what`, a colon, one line.

    A panic's own text does not reach standard error; what others write there meanwhile comes a moment later. One
    thread at a time is inside.
    """
    with _lock:
        withheld = _withhold()
        panic = False
        try:
            yield
        except BaseException as error:
            panic = type(error).__name__ == _PANIC
            if not (panic or isinstance(error, Exception)):
                raise
            raise ModelError(f"{what}: {' '.join(str(error).split()) or type(error).__name__}") from None
        finally:
            _release(withheld, show=not panic)


def _withhold() -> tuple[int, int] | None:
    """Standard error's descriptor goes to a file of no name; (the old one, the file), None where there is none."""
    try:
        sys.stderr.flush()
        old = os.dup(_STDERR)
    except (AttributeError, OSError, ValueError):
        return None
    with tempfile.TemporaryFile() as file:
        new = os.dup(file.fileno())
    os.dup2(new, _STDERR)
    return old, new


def _release(withheld: tuple[int, int] | None, *, show: bool) -> None:
    if withheld is None:
        return
    old, new = withheld
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os.dup2(old, _STDERR)
    os.close(old)
    with os.fdopen(new, "rb") as file:
        size = os.fstat(new).st_size
        if show and size:
            file.seek(0)
            with suppress(OSError):
                os.write(_STDERR, file.read(size))
