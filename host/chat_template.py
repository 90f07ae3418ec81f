"""From messages to one text, with the Jinja template in a model's `chat.json`, in the manner of transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from host.text import Text
from models.errors import ModelError, located
from models.vocabulary.parts import ChatFormat

__all__ = ["ChatTemplate", "load_chat_template"]

_ANSWER = "An answer."


class ChatTemplate:
    """A template ready to run, in a sandbox: it comes with the model, from anybody.

    messages: `{"role": "system" | "user" | "assistant", "content": TEXT}` each.
    """

    def __init__(self, chat: ChatFormat, where: object = "chat template"):
        self.chat, self._where = chat, where
        try:
            self._template = _environment().from_string(chat.template)
        except TemplateSyntaxError as error:
            raise ModelError(f"{where}: template line {error.lineno}: {error.message}") from None

    def render(self, messages: Sequence[Mapping[str, str]], *, answer_next: bool = True) -> str:
        """The text before the model's answer, or the whole text where no answer is to come.

        `ModelError` where the template refuses the messages, a system message for example, or fails.
        """
        try:
            return self._template.render(
                messages=[dict(message) for message in messages], tools=None, documents=None,
                add_generation_prompt=answer_next, bos_token=self.chat.bos_token, eos_token=self.chat.eos_token)
        except Exception as error:  # what a stranger's program raises
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelError(f"{self._where}: the chat template refuses these messages: {reason}") from None

    def end_ids(self, text: Text) -> set[int]:
        """Ids that end a turn: the format's end token, and the special token that follows an answer in the text."""
        ends = {token for token in text.encode(self.chat.eos_token, special=True)[:1] if text.is_special(token)}
        try:
            whole = self.render([{"role": "user", "content": "A question."},
                                 {"role": "assistant", "content": _ANSWER}], answer_next=False)
        except ModelError:
            return ends
        _, _, after = whole.rpartition(_ANSWER)
        return ends | set([token for token in text.encode(after, special=True) if text.is_special(token)][:1])


def load_chat_template(folder: Path) -> ChatTemplate | None:
    """The template of a model folder; None where it has none."""
    path = folder / "chat.json"
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as JSON: {error}") from None
    with located(path):
        chat = ChatFormat.from_json(data)
    return ChatTemplate(chat, path)


class _Generation(Extension):
    """`{% generation %}` marks what a model said, for training; here its contents are like any other."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                extensions=[_Generation, loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals |= {"raise_exception": _raise, "strftime_now": _now}
    return environment


def _raise(message: object) -> None:
    raise TemplateError(str(message))


def _now(form: str) -> str:
    return datetime.now().strftime(form)


def _to_json(value: object, ensure_ascii: bool = False, indent: int | None = None,
             separators: tuple[str, str] | None = None, sort_keys: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
