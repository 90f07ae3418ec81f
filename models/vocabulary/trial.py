"""A tokenizer from anywhere, tried out before it is loaded: the library that runs it may crash, or never end."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from models.cache import cache_root, digest
from models.containment import Contained, ContainedError, Limits
from models.errors import BuildError, ModelError
from models.json_file import LARGEST_TEXT
from models.vocabulary.limits import LONGEST_TOKEN

__all__ = ["MOST_GROWTH", "TRIAL_MEMORY", "TRIAL_SECONDS", "try_once", "try_tokenizer"]

MOST_GROWTH = 64
"""Ids that a byte of text, and characters that a character of a token may become."""
TRIAL_SECONDS = 2
"""Processor time of a trial, and twice as much again for every half MiB of the file."""
TRIAL_MEMORY = 1536 << 20
"""Bytes of memory of a trial's process."""

_PROGRAM = Path(__file__).with_name("tokenizer_program.py")
_REMEMBERED = 200  # tokenizers


def try_tokenizer(text: str, refused: str) -> tuple[str, int] | None:
    """The token with the largest id, and that id; None of an empty vocabulary.

    text: contents of a `tokenizer.json`; refused: how an error begins, "FILE is not a tokenizer" for example.
    It is loaded in a process of its own, where it encodes and decodes texts that are hard for some. `ModelError` where
    it is no tokenizer, panics, crashes or goes beyond the limits above and those of `limits`.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise ModelError(f"{refused}: character {error.start} is half a surrogate pair") from None
    if size > LARGEST_TEXT:
        raise ModelError(f"{refused} of at most {LARGEST_TEXT:,} bytes: it has {size:,}")
    program = Contained(_PROGRAM, {"longest": LONGEST_TOKEN, "growth": MOST_GROWTH},
                        Limits(TRIAL_SECONDS + (size >> 18), TRIAL_MEMORY, 1 << 20))
    try:
        facts = program.ask(text)
    except ContainedError as error:
        what = " that can be used: it" if error.kind in ("", "MemoryError") else ":"
        raise ModelError(f"{refused}{what} {error}") from None
    finally:
        program.close()
    return facts["largest"] and tuple(facts["largest"])


def try_once(text: str, refused: str) -> None:
    """As `try_tokenizer`, for a file that is read again and again: what passed on this computer is remembered."""
    name = digest(*_versions(), text)
    known = _known()
    if name not in known:
        try_tokenizer(text, refused)
        _remember([name, *known][:_REMEMBERED])


@cache
def _versions() -> tuple[str, bytes]:
    """What a trial's outcome depends on, besides the tokenizer."""
    return version("tokenizers"), _PROGRAM.read_bytes()


def _known() -> list[str]:
    try:
        return _memory().read_text(encoding="ascii").split()
    except (BuildError, OSError, ValueError):  # none yet, or no folder for it
        return []


def _remember(names: list[str]) -> None:
    """Not where there is no folder for it. Of two writers at a time one is forgotten."""
    with suppress(BuildError, OSError):
        path = _memory()
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}.", delete=False) as file:
            file.write("\n".join(names))
        os.replace(file.name, path)


def _memory() -> Path:
    return cache_root() / "tokenizers_tried"
