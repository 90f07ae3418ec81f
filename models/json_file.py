"""Small text files beside a checkpoint, and those that hold one JSON object."""

from __future__ import annotations

import json
from pathlib import Path

from models.errors import ModelError
from models.file_kind import JSON, file_kind

__all__ = ["read_object", "read_optional", "read_text"]


def read_text(path: Path) -> str:
    """The whole file; `ModelError` where it is missing or cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None


def read_object(path: Path) -> dict:
    """The object; `ModelError` for a file that is missing, unreadable or something else."""
    text = read_text(path)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        if (kind := file_kind(path)) not in (None, JSON):
            raise ModelError(f"{path}: expected JSON, found {kind}") from None
        raise ModelError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(data, dict):
        raise ModelError(f"{path}: expected a JSON object, found {type(data).__name__}")
    return data


def read_optional(path: Path) -> dict:
    """As `read_object`, but {} where there is no such file."""
    return read_object(path) if path.exists() else {}
