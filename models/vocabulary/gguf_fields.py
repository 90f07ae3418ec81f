"""The `tokenizer.*` metadata of a GGUF file, each entry of the type that it must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard

from models.errors import ModelError

__all__ = ["PREFIX", "VocabularyFields"]

PREFIX = "tokenizer.ggml."
_TEMPLATE = "tokenizer.chat_template"


class VocabularyFields:
    """fields: plain values by key. Every access raises `ModelError`, naming the key, for a value of another type."""

    def __init__(self, fields: Mapping[str, object]):
        self._fields = fields

    def text(self, name: str) -> str | None:
        """A string; None where there is none."""
        value = self._fields.get(PREFIX + name)
        if value is not None and not isinstance(value, str):
            raise _wrong(name, "a string", value)
        return value

    def flag(self, name: str, default: bool) -> bool:
        """A switch."""
        value = self._fields.get(PREFIX + name)
        if value is not None and not isinstance(value, bool):
            raise _wrong(name, "true or false", value)
        return default if value is None else value

    def strings(self, name: str) -> list[str]:
        """A list of strings that must be there."""
        value = self._fields.get(PREFIX + name)
        if not _is_list(value) or not all(isinstance(text, str) for text in value):
            raise ModelError(f"{PREFIX}{name}: expected a list of strings, found "
                             f"{'nothing' if value is None else type(value).__name__}")
        return list(value)

    def numbers(self, name: str, count: int) -> list[float]:
        """A number for each of `count` tokens; empty where the file has none."""
        return self._numbers(name, count, (int, float))

    def integers(self, name: str, count: int) -> list[int]:
        """An integer for each of `count` tokens; empty where the file has none."""
        return self._numbers(name, count, (int,))

    def token(self, role: str, count: int) -> int | None:
        """The id of a named token; None where there is none, or one beyond `count`, which llama.cpp leaves out."""
        value = self._fields.get(f"{PREFIX}{role}_token_id")
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise _wrong(f"{role}_token_id", "one number", value)
        return value if value is not None and 0 <= value < count else None

    def bytes(self, name: str) -> bytes:
        """A list of bytes, empty where there is none."""
        value = self._fields.get(PREFIX + name)
        if value is None:
            return b""
        if not _is_list(value) or not all(type(item) is int for item in value):
            raise _wrong(name, "a list of bytes", value)
        return bytes(item & 255 for item in value)

    def template(self) -> str | None:
        """The chat template; None where there is none."""
        value = self._fields.get(_TEMPLATE)
        if value is not None and not isinstance(value, str):
            raise ModelError(f"{_TEMPLATE}: expected a string, found {type(value).__name__}")
        return value if value and value.strip() else None

    def _numbers(self, name: str, count: int, kinds: tuple[type, ...]) -> list:
        value = self._fields.get(PREFIX + name)
        if value is None:
            return []
        if not _is_list(value) or not all(isinstance(item, kinds) and not isinstance(item, bool) for item in value):
            raise _wrong(name, "a list of numbers", value)
        if len(value) < count:
            raise ModelError(f"{PREFIX}{name}: expected {count} entries, found {len(value)}")
        return list(value[:count])


def _is_list(value: object) -> TypeGuard[Sequence]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _wrong(name: str, expected: str, value: object) -> ModelError:
    found = type(value).__name__ if isinstance(value, list | tuple | Mapping) else repr(value)
    return ModelError(f"{PREFIX}{name}: expected {expected}, found {found[:80]}")
