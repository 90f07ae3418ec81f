"""How large a vocabulary may be: a stranger's file must not take time or memory out of proportion."""

from __future__ import annotations

from collections.abc import Iterable

from models.errors import ModelError

__all__ = ["LARGEST_FILE", "LONGEST_TOKEN", "MOST_CHARACTERS", "MOST_TOKENS", "check_id", "check_tokens"]

LARGEST_FILE = 16 << 20
"""Bytes of a SentencePiece file; that of 262,144 pieces has 4.7 MB."""
MOST_TOKENS = 1 << 20
"""Entries of a vocabulary; the largest published have 900,000."""
LONGEST_TOKEN = 1024
"""Characters of a token; runs of 128 or 256 spaces are the longest of published vocabularies."""
MOST_CHARACTERS = 4 << 20
"""Characters of all tokens whose merges are not given but found; published ones have 2 million."""


def check_tokens(texts: Iterable[str]) -> None:
    """`ModelError` where there are too many, or one is too long."""
    count = 0
    for index, text in enumerate(texts):
        if len(text) > LONGEST_TOKEN:
            raise ModelError(f"token {index}: expected at most {LONGEST_TOKEN:,} characters, found {len(text):,}")
        count = index + 1
    if count > MOST_TOKENS:
        raise ModelError(f"vocabulary: expected at most {MOST_TOKENS:,} tokens, found {count:,}")


def check_id(index: object, what: str) -> None:
    """`ModelError` unless `index`, the id of `what`, is one that a vocabulary may have."""
    if type(index) is not int or not 0 <= index < MOST_TOKENS:
        found = index if isinstance(index, int | float) else type(index).__name__
        raise ModelError(f"{what}: expected an id from 0 to {MOST_TOKENS - 1:,}, found {found}")
