"""Tokenizer and chat template out of a GGUF file's metadata."""

from __future__ import annotations

from collections.abc import Mapping

from models.vocabulary.parts import TextParts

__all__ = ["read_gguf"]


def read_gguf(fields: Mapping[str, object], vocab_size: int, where: str) -> TextParts | None:
    """fields: the `tokenizer.*` metadata as plain values; where: the file, for errors. None without a tokenizer."""
    return None
