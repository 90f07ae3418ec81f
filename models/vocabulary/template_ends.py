"""What a chat template says of the ends of turns, found at conversion so that every command stops there."""

from __future__ import annotations

from tokenizers import Tokenizer

from models.errors import ModelError
from models.vocabulary.chat_template import ChatTemplate
from models.vocabulary.panics import contained
from models.vocabulary.parts import ChatFormat

__all__ = ["template_ends"]


def template_ends(chat: ChatFormat | None, tokenizer: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Ids that end a turn, and what there is to say of a template that does not run: it is kept as it is.

    tokenizer: the contents of a `tokenizer.json`, tried out.
    """
    if chat is None:
        return (), ()
    try:
        return tuple(sorted(ChatTemplate(chat).end_ids(_Tokens(tokenizer)))), ()
    except ModelError as error:
        return (), (f"the model has no chat until this is mended: {error}",)


class _Tokens:
    def __init__(self, tokenizer: str):
        with contained("the tokenizer"):
            self._tokenizer = Tokenizer.from_str(tokenizer)
        self._special = {index for index, token in self._tokenizer.get_added_tokens_decoder().items() if token.special}

    def encode(self, text: str, *, special: bool) -> list[int]:
        with contained("the tokenizer has no ids for the template's text"):
            self._tokenizer.encode_special_tokens = not special
            return self._tokenizer.encode(text, add_special_tokens=False).ids

    def is_special(self, token: int) -> bool:
        return token in self._special
