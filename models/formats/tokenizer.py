"""Does a `tokenizer.json` fit the model beside it?"""

from __future__ import annotations

from pathlib import Path

from models.errors import ModelError
from models.formats.json_file import read_object

__all__ = ["check_tokenizer"]


def check_tokenizer(path: Path, vocab_size: int) -> None:
    """`ModelError` unless every id of the tokenizer, added tokens included, is below `vocab_size`."""
    data = read_object(path)
    try:
        vocab = data["model"]["vocab"]  # {piece: id}, or a list of pieces (Unigram)
        ids = list(vocab.values()) if isinstance(vocab, dict) else list(range(len(vocab)))
        ids += [token["id"] for token in data.get("added_tokens") or []]
        largest = max(map(int, ids), default=-1)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ModelError(f"{path}: expected a tokenizer, found no vocabulary in it") from None
    if largest >= vocab_size:
        raise ModelError(f"{path}: vocabulary: expected ids below the model's vocab_size of {vocab_size}, "
                         f"found {largest}")
