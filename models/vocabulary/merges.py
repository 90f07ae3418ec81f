"""Merges of a vocabulary that only ranks its tokens."""

from __future__ import annotations

from collections.abc import Container, Sequence

from models.errors import ModelError
from models.vocabulary.limits import MOST_CHARACTERS

__all__ = ["merges_of_ranked"]


def merges_of_ranked(ranked: Sequence[str], known: Container[str]) -> list[tuple[str, str]]:
    """Every way to put a token together from two others, best token first.

    SentencePiece and tiktoken join the neighbours that make the best token, wherever it splits. The tokenizers
    library ranks pairs instead, so that each split of a token gets a rank next to its others.
    `ModelError` where the tokens have more than `MOST_CHARACTERS` together.
    """
    if (found := sum(map(len, ranked))) > MOST_CHARACTERS:
        raise ModelError(f"vocabulary: expected at most {MOST_CHARACTERS:,} characters in all tokens, found {found:,}")
    return [(token[:at], token[at:]) for token in ranked for at in range(1, len(token))
            if token[:at] in known and token[at:] in known]
