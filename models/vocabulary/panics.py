"""Failures of the tokenizers library, whose Rust code panics on some files and texts."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from models.errors import ModelError

__all__ = ["contained", "one_line"]

_STDERR = 2  # the descriptor that Rust writes a panic's text to before Python hears of it
_lock = threading.RLock()


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Whatever the tokenizers library raises inside, panics too, becomes a `ModelError`: `what`, a colon, one line."""
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, Exception) or _is_panic(error)):
            raise
        raise ModelError(f"{what}: {' '.join(str(error).split()) or type(error).__name__}") from None


@contextmanager
def contained(what: str) -> Iterator[None]:
    """As `one_line`, and a panic's own text does not reach standard error; one thread at a time is inside.

    What others write there meanwhile comes a moment later.
    """
    with _lock, one_line(what):
        withheld, panicked = _withhold(), False
        try:
            yield
        except BaseException as error:
            panicked = _is_panic(error)
            raise
        finally:
            _release(withheld, show=not panicked)


def _is_panic(error: BaseException) -> bool:
    return type(error).__name__ == "PanicException"  # pyo3's: no Exception, and its module cannot be imported


def _withhold() -> tuple[int, int] | None:
    """Standard error's descriptor becomes a file without a name; (what it was, the file), None where there is none."""
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
        file.seek(0)
        if show and (text := file.read()):
            with suppress(OSError):
                os.write(_STDERR, text)
