"""Turns of a chat on one session, whose cache is kept as far as one prompt begins like the one before."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from host.chat_template import load_chat_template
from host.engine.engine import Engine
from host.engine.reply import Finish, Reply
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from host.stage_options import Chosen
from host.stop_strings import stop_ids
from host.text import Text
from models.errors import ModelError, OptionError

__all__ = ["Answer", "Conversation"]


@dataclass
class Answer:
    """What an answer took. dropped: old turns left out from now on. ids, text: as they were handed out."""

    dropped: int = 0
    ids: list[int] = field(default_factory=list)
    text: str = ""
    reply: Reply | None = None

    @property
    def prompt_tokens(self) -> int:
        """Ids of the whole prompt, old turns included."""
        return len(self.reply.request.ids) if self.reply else 0

    @property
    def cached(self) -> int:
        """Those that were in the cache."""
        return self.reply.cached if self.reply else 0

    @property
    def full(self) -> bool:
        """Whether the context ended the answer."""
        return self.reply is not None and self.reply.finish == Finish.CONTEXT

    @property
    def finish(self) -> str:
        """Why it ended, a value of `Finish`."""
        return self.reply.finish.value if self.reply and self.reply.finish else Finish.CANCELLED.value

    @property
    def prefill_s(self) -> float:
        """Wall time up to the first new token."""
        return self.reply.prefill_s if self.reply else 0.0

    @property
    def decode_s(self) -> float:
        """Wall time after it."""
        return self.reply.decode_s if self.reply else 0.0

    @property
    def speed(self) -> float:
        """New tokens a second, after the first."""
        return self.reply.speed if self.reply else 0.0


class Conversation:
    """messages: system, if there is one, then user and assistant in turn, as the template takes them.

    A model without a template continues plain text: each message of the user starts a new line of it, an empty one
    goes on where the model stopped. magic: the id of a control token in front of it all.
    """

    def __init__(self, session: Session, system: str | None = None, magic: int | None = None):
        folder: Path = session.model.folder
        self.session, self.text, self.template = session, Text(folder), load_chat_template(folder)
        self.messages: list[dict[str, str]] = []
        self.ends = set(session.model.config.eos_ids)
        if self.template:
            self.ends |= self.template.end_ids(self.text)
        self.set_system(system)
        self._engine, self._magic = Engine(session, self.text), magic

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

    def resume(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Go on with these, which end in an answer, in place of what was said; the system message is theirs, if they
        have one. `ModelError` where the model takes no such messages; then nothing changes."""
        system = messages[0]["content"] if messages and messages[0]["role"] == "system" else None
        before, self.messages = self.messages, []
        try:
            self.set_system(system)
            if self.template:
                self.template.render([*messages, {"role": "user", "content": "A question."}])
        except ModelError:
            self.messages = before
            raise
        self.messages = [dict(message) for message in messages]

    def size(self) -> int:
        """Tokens of what was said so far, the system message included."""
        if not self.messages:
            return 0
        if self.template and len(self.messages) > self._turns_start:
            return len(self.text.encode(self.template.render(self.messages, answer_next=False), special=True))
        return len(self.text.prompt("".join(message["content"] for message in self.messages)))

    def act(self, chosen: Chosen) -> None:
        """From the next answer on these stages act, those that the session was opened with at other strengths; the
        turns so far are read again under them."""
        chosen.act_on(self.session)
        self._engine.forget()

    def undo(self) -> str | None:
        """Take back the last question and answer; returns the question, None where there was none."""
        if len(self.messages) - self._turns_start < 2:
            return None
        question = self.messages[-2]["content"]
        del self.messages[-2:]
        return question

    def ask(self, question: str, sampler: Sampler, answer: Answer, *, count: int | None = None,
            stops: Sequence[str] = (), on_tokens: Callable[[int], None] | None = None) -> Generator[str, None, None]:
        """Yield the pieces of the answer's text; `answer` is filled in on the way.

        count: new tokens at most, None for what the context has room for. stops: as `StopStrings`, or names of special
        tokens. Closing the iterator, or an exception from `on_tokens`, which is called with the tokens of the prompt
        that a pass took in, ends the answer: what was said until then stays in the conversation; with nothing said, the
        question goes as well. `OptionError` where the question alone is too long.
        """
        stop_ids(stops, self.text)
        if not question and not self.template and not self.messages:
            raise OptionError("the text is empty: there is no token to start from")
        ids, answer.dropped = self._prompt(question, count)
        reply = answer.reply = self._engine.add(Request(ids, sampler, count, ends=self.ends, stops=stops,
                                                        magic=self._magic))
        done = None
        try:
            for _ in self._engine.run(reply):
                before, done = reply.cached if done is None else done, reply.prompt_done
                if on_tokens and done > before:
                    on_tokens(done - before)
                if done == len(reply.request.ids):
                    answer.ids += reply.ids[len(answer.ids):]
                    yield self._said(answer, reply.take_text())
        finally:
            self._engine.cancel(reply)
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
        context, dropped = self.session.context - (self._magic is not None), 0
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
