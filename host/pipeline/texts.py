"""Token ids of the texts that methods are fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from host.text import Text
from models.checkpoint import TOKENIZER, Model
from models.errors import ModelError, OptionError
from models.text_file import read_text_file

__all__ = ["spread", "text_ids"]


def text_ids(model: Model, path: Path) -> list[int]:
    """Ids of a text file by the model's tokenizer; nothing is put before or after them."""
    content = read_text_file(path)
    if not (model.folder / TOKENIZER).is_file():
        raise ModelError(f"{model.folder} has no {TOKENIZER}, which is needed to read a text")
    ids = Text(model.folder).encode(content)
    if not ids:
        raise OptionError(f"{path} is empty")
    return ids


def spread(ids: Sequence[int], tokens: int, window: int) -> Sequence[int]:
    """About `tokens` of the ids, in windows evenly spread over the text so that they stand for the whole of it."""
    if len(ids) <= tokens:
        return ids
    starts = np.linspace(0, len(ids) - window, max(1, tokens // window)).astype(int)
    return [token for start in starts for token in ids[start:start + window]]
