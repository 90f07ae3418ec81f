"""Text to token ids and back, with the tokenizer that lies beside a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from models.errors import ModelError

__all__ = ["Text"]


class Text:
    """A model folder's `tokenizer.json`."""

    def __init__(self, folder: Path):
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise ModelError(f"{folder} has no tokenizer.json: give token ids instead of text")
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception
            raise ModelError(f"{path} is not a tokenizer: {' '.join(str(error).split())}") from None

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without special tokens."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, special tokens left out."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def stream(self, before: Sequence[int] = ()) -> Callable[[int], str]:
        """A function from the next id to the text it completes ("" while a character is incomplete)."""
        stream = DecodeStream(ids=list(before), skip_special_tokens=True)
        return lambda token: stream.step(self._tokenizer, token) or ""
