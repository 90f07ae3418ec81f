"""Merges of a vocabulary that only ranks its tokens."""

from __future__ import annotations

from collections.abc import Container, Iterable

__all__ = ["merges_of_ranked"]


def merges_of_ranked(ranked: Iterable[str], known: Container[str]) -> list[tuple[str, str]]:
    """Every way to put a token together from two others, best token first.

    SentencePiece and tiktoken join the neighbours that make the best token, wherever it splits. The tokenizers
    library ranks pairs instead, so that each split of a token gets a rank next to its others.
    """
    return [(token[:at], token[at:]) for token in ranked for at in range(1, len(token))
            if token[:at] in known and token[at:] in known]
