"""JSON files that hold one object, as every part of a Hugging Face folder does."""

from __future__ import annotations

import json
from pathlib import Path

from models.errors import ModelError

__all__ = ["read_object"]


def read_object(path: Path) -> dict:
    """The object; `ModelError` for a file that is missing, unreadable or something else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(data, dict):
        raise ModelError(f"{path}: expected a JSON object, found {type(data).__name__}")
    return data
