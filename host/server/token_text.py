"""What single tokens stand for: the text and the bytes by which logprobs name them."""

from __future__ import annotations

import re

from host.text import Text
from models.vocabulary.byte_level import BYTE_CHARACTERS

__all__ = ["TokenText"]

_BYTES = {character: byte for byte, character in BYTE_CHARACTERS.items()}
_FALLBACK = re.compile("<0x([0-9A-Fa-f]{2})>")
_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"


class TokenText:
    """Text and bytes of token ids, each worked out once.

    A token is decoded behind another one: at the start of a text some tokenizers leave out a space.
    """

    def __init__(self, text: Text):
        self._text = text
        self._special = {token: name for name, token in text.special_tokens().items()}
        self._anchor = text.encode("a")
        self._before = text.decode(self._anchor)
        self._known: dict[int, str] = {}

    def __call__(self, token: int) -> str:
        """The text; a special token's name; U+FFFD for bytes that are no character alone."""
        if token not in self._known:
            self._known[token] = self._special.get(token) or self._decoded(token)
        return self._known[token]

    def bytes_of(self, token: int) -> list[int]:
        """The text in UTF-8, or the bytes of a token that is part of a character."""
        text = self(token)
        if _INCOMPLETE in text:
            name = self._text.name_of(token)
            if found := _FALLBACK.fullmatch(name):
                return [int(found[1], 16)]
            if all(character in _BYTES for character in name):
                return [_BYTES[character] for character in name]
        return list(text.encode("utf-8"))

    def shown(self, token: int) -> str:
        """The text that it adds to an answer: none for a special token."""
        return "" if token in self._special else self(token)

    def _decoded(self, token: int) -> str:
        both = self._text.decode([*self._anchor, token])
        return both[len(self._before):] if both.startswith(self._before) else self._text.decode([token])
