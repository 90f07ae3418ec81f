"""Text to token ids and back, with the tokenizer that lies beside a model."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from models.checkpoint import TOKENIZER, load_around
from models.checkpoint_writer import METADATA
from models.errors import ModelError
from models.vocabulary.panics import contained, one_line
from models.vocabulary.parts import Around
from models.vocabulary.tokenizer_json import load_tokenizer

__all__ = ["Text", "TextStream"]

_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"  # what bytes that are no character yet decode to


class Text:
    """A model folder's `tokenizer.json`, and the ids before and after whole prompts that its `model.json` names.

    `ModelError` for a folder without a tokenizer or with a damaged one.
    """

    def __init__(self, folder: Path):
        path = folder / TOKENIZER
        if not path.is_file():
            raise ModelError(f"{folder} has no {TOKENIZER}: give token ids instead of text")
        self.file = path
        self._tokenizer = load_tokenizer(path)
        self._lock = threading.Lock()  # around the one setting that is switched
        around = load_around(folder) if (folder / METADATA).is_file() else Around()
        self.before, self.after = list(around.before), list(around.after)

    def prompt(self, text: str) -> list[int]:
        """Ids of a whole prompt; names of special tokens mean the token.

        What goes before it is left out where the text begins with its name: nobody wants two.
        """
        ids = self.encode(text, special=True)
        named = bool(self.before) and ids[:len(self.before)] == self.before
        return ([] if named else self.before) + ids + self.after

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Ids of a text; none are put before or after it.

        special: names such as `<|eot_id|>` in the text mean the token; otherwise they are text like any other.
        """
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ModelError(f"the text is not Unicode: character {error.start} is half a surrogate pair") from None
        with self._lock, contained("the tokenizer has no ids for this text"):
            self._tokenizer.encode_special_tokens = not special
            return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, special tokens left out."""
        with one_line("the tokenizer has no text for these ids"):
            return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def is_special(self, token: int) -> bool:
        """Whether an id stands for no text: an end of turn, a start of text."""
        added = self._tokenizer.get_added_tokens_decoder().get(token)
        return added is not None and added.special

    def name_of(self, token: int) -> str:
        """A token as the tokenizer's file writes it; "" for an id that has none."""
        return self._tokenizer.id_to_token(token) or ""

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
