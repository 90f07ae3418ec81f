"""From messages to one text, with a model's Jinja template, in the manner of transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from models.containment import Contained, ContainedError, Limits
from models.errors import ModelError
from models.vocabulary.parts import ChatFormat

__all__ = ["LONGEST_TEMPLATE", "LONGEST_TEXT", "RENDER_MEMORY", "RENDER_SECONDS", "ChatTemplate", "Reader"]

LONGEST_TEMPLATE = 1 << 20
"""Characters of a template; published ones have up to 30,000."""
LONGEST_TEXT = 8 << 20
"""Characters that a template may make of a conversation, far more than a context holds."""
RENDER_SECONDS = 2
"""Processor time for one text. A long conversation takes some milliseconds."""
RENDER_MEMORY = 512 << 20
"""Bytes of memory of the process in which a template runs."""

_ESCAPED = 12  # bytes of a character in JSON, at most
_ANSWER = "An answer."


class Reader(Protocol):
    """What finds tokens in a text."""

    def encode(self, text: str, *, special: bool) -> list[int]:
        """Ids of a text in which names of special tokens mean the token."""

    def is_special(self, token: int) -> bool:
        """Whether an id stands for no text."""


class ChatTemplate:
    """A template ready to run, in a sandbox and in a process of its own: it comes with the model, from anybody.

    messages: `{"role": "system" | "user" | "assistant", "content": TEXT}` each. May be used from several threads.
    """

    def __init__(self, chat: ChatFormat, where: object = "chat template"):
        self.chat, self._where = chat, where
        if len(chat.template) > LONGEST_TEMPLATE:
            raise ModelError(f"{where}: template: expected at most {LONGEST_TEMPLATE:,} characters, found "
                             f"{len(chat.template):,}")
        self._program = Contained(Path(__file__).with_name("template_program.py"),
                                  {"template": chat.template, "characters": LONGEST_TEXT},
                                  Limits(RENDER_SECONDS, RENDER_MEMORY, _ESCAPED * LONGEST_TEXT + 100))
        try:
            self._program.start()
        except ContainedError as error:
            what = "" if error.kind == "SyntaxError" else "the chat template "
            raise ModelError(f"{where}: {what}{error}") from None

    def render(self, messages: Sequence[Mapping[str, object]], *, answer_next: bool = True,
               tools: Sequence[Mapping[str, object]] | None = None) -> str:
        """The text before the model's answer, or the whole text where no answer is to come. tools: for templates that
        have a place for them, as OpenAI writes them; calls and answers of tools may then be among the messages.

        `ModelError` where the template refuses the messages, a system message for example, fails, or goes beyond the
        limits above.
        """
        try:
            return self._program.ask(dict(
                messages=[dict(message) for message in messages], tools=tools and list(tools), documents=None,
                add_generation_prompt=answer_next, bos_token=self.chat.bos_token, eos_token=self.chat.eos_token))
        except ContainedError as error:
            if error.kind in _BEYOND:
                raise _BeyondLimitsError(f"{self._where}: the chat template {error}") from None
            raise ModelError(f"{self._where}: the chat template refuses these messages: {error}") from None

    def end_ids(self, text: Reader) -> set[int]:
        """Ids that end a turn: the format's end token, and the special token that follows an answer in the text."""
        ends = {token for token in text.encode(self.chat.eos_token, special=True)[:1] if text.is_special(token)}
        try:
            whole = self.render([{"role": "user", "content": "A question."},
                                 {"role": "assistant", "content": _ANSWER}], answer_next=False)
        except _BeyondLimitsError:
            raise
        except ModelError:
            return ends
        _, _, after = whole.rpartition(_ANSWER)
        return ends | set([token for token in text.encode(after, special=True) if text.is_special(token)][:1])


class _BeyondLimitsError(ModelError):
    """A template that no other messages would mend."""


_BEYOND = ("", "MemoryError", "TooLong")
