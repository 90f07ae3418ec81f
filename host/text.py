"""Text to token ids and back, with the tokenizer that lies beside a model."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from models.errors import ModelError

__all__ = ["Text", "TextStream"]

_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"  # what bytes that are no character yet decode to


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
        self._lock = threading.Lock()  # around the one setting that is switched

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Ids of a text; none are put before or after it.

        special: names such as `<|eot_id|>` in the text mean the token; otherwise they are text like any other.
        """
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ModelError(f"the text is not Unicode: character {error.start} is half a surrogate pair") from None
        with self._lock:
            self._tokenizer.encode_special_tokens = not special
            return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, special tokens left out."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def is_special(self, token: int) -> bool:
        """Whether an id stands for no text: an end of turn, a start of text."""
        added = self._tokenizer.get_added_tokens_decoder().get(token)
        return added is not None and added.special

    def special_tokens(self) -> dict[str, int]:
        """Ids of the tokens that stand for no text, by their names."""
        added = self._tokenizer.get_added_tokens_decoder()
        return {item.content: token for token, item in added.items() if item.special}

    def stream(self, before: Sequence[int] = ()) -> TextStream:
        """Decodes ids that come one by one, after those of `before`."""
        return TextStream(self, before)


class TextStream:
    """Called with the next id, gives the text it completes: "" while a character is incomplete.

    Only whole characters come out, and all pieces together are the text of all ids. A few ids back are decoded
    again each time, for what a token means depends on its neighbours.
    """

    def __init__(self, text: Text, before: Sequence[int]):
        self._text, self._ids = text, list(before)
        self._start, self._said = 0, len(self._ids)  # decoded again from here; given out up to here

    def __call__(self, token: int) -> str:
        """The text that `token` completes."""
        self._ids.append(token)
        return self._next(whole=True)

    def end(self) -> str:
        """What is left where the last character stays incomplete."""
        return self._next(whole=False)

    def _next(self, *, whole: bool) -> str:
        known = self._text.decode(self._ids[self._start:self._said])
        text = self._text.decode(self._ids[self._start:])
        if len(text) <= len(known) or (whole and text.endswith(_INCOMPLETE)):
            return ""
        self._start, self._said = self._said, len(self._ids)
        return text[len(known):]
