"""The JSON files beside a checkpoint that say something of its text."""

from __future__ import annotations

import json
from pathlib import Path

from models.errors import ModelError

__all__ = ["read_object", "read_text"]


def read_text(path: Path) -> str:
    """The whole file; `ModelError` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None


def read_object(path: Path) -> dict:
    """The object in a file, {} where there is no such file; `ModelError` for anything else."""
    if not path.exists():
        return {}
    try:
        data = json.loads(read_text(path))
    except ValueError as error:
        raise ModelError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(data, dict):
        raise ModelError(f"{path}: expected a JSON object, found {type(data).__name__}")
    return data
