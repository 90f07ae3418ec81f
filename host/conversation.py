"""Turns of a chat on one session, whose cache is kept as far as one prompt begins like the one before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from host.chat_template import load_chat_template
from host.generate import generate
from host.runtime import Session
from host.sampler import Sampler
from host.stop_strings import StopStrings, stop_ids
from host.text import Text
from models.errors import ModelError, OptionError

__all__ = ["Answer", "Conversation"]


@dataclass
class Answer:
    """What an answer took. cached: prompt tokens that were in the cache; dropped: old turns left out from now on.

    full: the context ended the answer. Seconds are wall time; the first new token belongs to the prompt's.
    """

    prompt_tokens: int = 0
    cached: int = 0
    dropped: int = 0
    full: bool = False
    prefill_s: float = 0.0
    decode_s: float = 0.0
    ids: list[int] | None = None
    text: str = ""

    @property
    def prompt_speed(self) -> float:
        """Prompt tokens run a second."""
        return (self.prompt_tokens - self.cached) / self.prefill_s if self.prefill_s else 0.0

    @property
    def speed(self) -> float:
        """New tokens a second, after the first."""
        return (len(self.ids or ()) - 1) / self.decode_s if len(self.ids or ()) > 1 and self.decode_s else 0.0


class Conversation:
    """messages: system, if there is one, then user and assistant in turn, as the template takes them.

    A model without a template continues plain text: each message of the user starts a new line of it, an empty one
    goes on where the model stopped.
    """

    def __init__(self, session: Session, system: str | None = None):
        folder: Path = session.model.folder
        self.session, self.text, self.template = session, Text(folder), load_chat_template(folder)
        self.messages: list[dict[str, str]] = []
        self.ends = set(session.model.config.eos_ids)
        if self.template:
            self.ends |= self.template.end_ids(self.text)
        self.set_system(system)
        self._cached: list[int] = []  # ids in the session's cache, in order
        session.reset()

    @property
    def system(self) -> str | None:
        """The system message."""
        return self.messages[0]["content"] if self._turns_start else None

    def set_system(self, system: str | None) -> None:
        """Replace the system message, None for none; `ModelError` where the model takes none."""
        head = [{"role": "system", "content": system}] if system else []
        if system and not self.template:
            raise ModelError(f"{self.session.model.folder} has no chat template: there are no system messages")
        if self.template:
            self.template.render([*head, {"role": "user", "content": "A question."}])
        self.messages[:self._turns_start] = head

    def reset(self) -> None:
        """Forget all turns, not the system message."""
        del self.messages[self._turns_start:]

    def undo(self) -> str | None:
        """Take back the last question and answer; returns the question, None where there was none."""
        if len(self.messages) - self._turns_start < 2:
            return None
        question = self.messages[-2]["content"]
        del self.messages[-2:]
        return question

    def ask(self, question: str, sampler: Sampler, answer: Answer, *, count: int | None = None,
            stops: Sequence[str] = (), on_tokens: Callable[[int], None] | None = None) -> Iterator[str]:
        """Yield the pieces of the answer's text; `answer` is filled in on the way.

        count: new tokens at most, None for what the context has room for. stops: as `StopStrings`, or names of special
        tokens. Closing the iterator, or an exception from
        `on_tokens`, ends the answer: what was said until then stays in the conversation; with nothing said, the
        question goes as well. `OptionError` where the question alone is too long.
        """
        ends = self.ends | stop_ids(stops, self.text)
        if not question and not self.template and not self.messages:
            raise OptionError("the text is empty: there is no token to start from")
        ids, answer.dropped = self._prompt(question, count)
        kept = min(_shared(ids, self._cached), len(ids) - 1)
        room = self.session.context - len(ids) + 1
        answer.prompt_tokens, answer.cached, answer.ids = len(ids), kept, []
        self.session.position = kept
        stop, stream = StopStrings(stops), self.text.stream(ids)
        started = time.perf_counter()
        try:
            for token in generate(self.session, ids[kept:], min(count or room, room), sampler, on_tokens,
                                  before=ids[:kept], ends=ends):
                if not answer.ids:
                    answer.prefill_s = time.perf_counter() - started
                answer.ids.append(token)
                answer.decode_s = time.perf_counter() - started - answer.prefill_s
                yield self._said(answer, stop(stream(token)))
                if stop.found is not None:
                    break
            answer.full = stop.found is None and len(answer.ids) == room
            yield self._said(answer, stop(stream.end()) + stop.end())
        finally:
            answer.prefill_s = answer.prefill_s or time.perf_counter() - started
            self._cached = [*ids, *answer.ids][:self.session.position]
            if answer.ids:
                said = answer.text.strip() if self.template else answer.text
                self.messages += [{"role": "user", "content": question}, {"role": "assistant", "content": said}]

    @property
    def _turns_start(self) -> int:
        return int(bool(self.messages) and self.messages[0]["role"] == "system")

    def _said(self, answer: Answer, piece: str) -> str:
        """Takes `piece` into the answer; chat answers start without the space that some tokenizers put first."""
        if self.template and not answer.text:
            piece = piece.lstrip()
        answer.text += piece
        return piece

    def _prompt(self, question: str, count: int | None) -> tuple[list[int], int]:
        """Ids up to the answer to `question`, and how many old turns had to go to make room."""
        context, dropped = self.session.context, 0
        room = min(count or context, context // 4)
        ids = self._ids(question)
        if len(ids) + room > context:  # once at it, make room for some turns to come: all that is left runs again
            while len(ids) > context // 2 and len(self.messages) - self._turns_start >= 2:
                del self.messages[self._turns_start:self._turns_start + 2]
                dropped += 1
                ids = self._ids(question)
        if len(ids) > context:
            raise OptionError(f"the message is too long: {len(ids)} tokens with what has to stay, in a context of "
                              f"{context}")
        return ids, dropped

    def _ids(self, question: str) -> list[int]:
        if self.template:
            whole = self.template.render([*self.messages, {"role": "user", "content": question}])
            return self.text.prompt(whole) if self.template.chat.framed else self.text.encode(whole, special=True)
        text = ""
        for message in [*self.messages, {"role": "user", "content": question}]:
            new_line = message["role"] == "user" and message["content"] and text and not text.endswith("\n")
            text += "\n" * bool(new_line) + message["content"]
        return self.text.prompt(text)


def _shared(first: Sequence[int], second: Sequence[int]) -> int:
    """How many ids two lists have in common from their start on."""
    return next((index for index, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
                min(len(first), len(second)))
