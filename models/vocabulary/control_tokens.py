"""Control tokens: words of their own that a model was trained to obey, and that the runtime puts before a text.

A training folder lists them in `magic.json`, an object from name to id; a converted folder in `model.json`, as `magic`.
Source: "Efficient Switchable Safety Control in LLMs via Magic-Token-Guided Co-Training".
"""

from __future__ import annotations

from pathlib import Path

from models.errors import ModelError, located
from models.json_file import read_object

__all__ = ["MAGIC", "checked_control_tokens", "read_control_tokens"]

MAGIC = "magic.json"


def read_control_tokens(folder: Path, vocab_size: int) -> dict[str, int]:
    """Those of a folder as it was trained, none where it lists none; `ModelError` for a damaged list."""
    path = folder / MAGIC
    if not path.exists():
        return {}
    data = read_object(path)
    with located(path):
        return checked_control_tokens(data, vocab_size)


def checked_control_tokens(data: object, vocab_size: int) -> dict[str, int]:
    """An object from name to id as it was read; `ModelError` for anything else, or an id that the model lacks."""
    if not isinstance(data, dict) or not all(name and type(token) is int and 0 <= token < vocab_size
                                             for name, token in data.items()):
        raise ModelError(f"magic: expected an object from names to ids below {vocab_size}, found something else")
    return data
