"""Tokenizer and chat template of a Hugging Face folder."""

from __future__ import annotations

from pathlib import Path

from models.formats.tokenizer import check_tokenizer
from models.vocabulary.parts import TextParts

__all__ = ["read_folder"]


def read_folder(folder: Path, vocab_size: int) -> TextParts | None:
    """None where the folder has no tokenizer. `ModelError` for one that is damaged or does not fit the model."""
    path = folder / "tokenizer.json"
    if not path.exists():
        return None
    check_tokenizer(path, vocab_size)
    return TextParts(path.read_text(encoding="utf-8"))
