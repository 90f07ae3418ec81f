"""Small text files beside a checkpoint, and those that hold one JSON object."""

from __future__ import annotations

import json
import re
from pathlib import Path

from models.errors import ModelError
from models.file_kind import JSON, file_kind

__all__ = ["LARGEST_TEXT", "read_bounded", "read_object", "read_optional", "read_text"]

LARGEST_TEXT = 64 << 20
"""Bytes of a text file; the largest published, a `tokenizer.json` of 262,144 tokens, has half of that."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # of half a pair; the other may follow


def read_bounded(path: Path, largest: int) -> bytes:
    """The whole file; `ModelError` where it is missing, no file, cannot be read or has more than `largest` bytes."""
    try:
        if not path.is_file() and path.exists():
            raise ModelError(f"{path}: expected a file, found something else")
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None
    if len(data) > largest:
        raise ModelError(f"{path}: expected at most {largest:,} bytes, found more")
    return data


def read_text(path: Path) -> str:
    """The whole file, lines ended by line feeds, without a byte order mark; `ModelError` as for `read_bounded`."""
    try:
        text = read_bounded(path, LARGEST_TEXT).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if (kind := file_kind(path)) not in (None, JSON):
            raise ModelError(f"{path}: expected text, found {kind}") from None
        raise ModelError(f"{path}: cannot be read: {error.reason} at byte {error.start}, expected UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_object(path: Path) -> dict:
    """The object, all its strings Unicode; `ModelError` for a file that is missing, unreadable or something else."""
    text = read_text(path)
    try:
        data = json.loads(text)
        if _SURROGATE.search(text):
            json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ModelError(f"{path}: expected Unicode, found half a surrogate pair") from None
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits is a ValueError, too
        if (kind := file_kind(path)) not in (None, JSON):
            raise ModelError(f"{path}: expected JSON, found {kind}") from None
        what = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ModelError(f"{path}: cannot be read as JSON: {what}") from None
    if not isinstance(data, dict):
        raise ModelError(f"{path}: expected a JSON object, found {type(data).__name__}")
    return data


def read_optional(path: Path) -> dict:
    """As `read_object`, but {} where there is no such file."""
    return read_object(path) if path.exists() else {}
