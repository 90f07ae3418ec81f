"""A chat from its first turn to its last: turns in, answers out as they come, Ctrl-C between."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from host.command_line import note_saturations
from host.conversation import Answer, Conversation
from host.screen import shown, without_controls
from host.stage_options import Chosen
from host.terminal.colours import dimmed
from host.terminal.commands import Commands
from host.terminal.plain_input import at_terminal, confirmed
from host.terminal.settings import Settings
from host.terminal.source import turns_of
from host.terminal.speeds import answer_speed, prompt_speed
from host.terminal.wrap import Wrap
from models.errors import TritloomError, printable

__all__ = ["PLAIN_TOKENS", "Talk"]

PLAIN_TOKENS = 100
"""Of an answer where there is no template: a plain text has no end of its own."""


class Talk:
    """options: json, n and stop of the command."""

    def __init__(self, conversation: Conversation, sampler: Callable, options: argparse.Namespace, chosen: Chosen):
        self._conversation, self._json = conversation, options.json
        self._terminal = at_terminal()
        self._settings = Settings(conversation, sampler, chosen, options.n, options.stop, PLAIN_TOKENS)
        self._speed = "nothing said yet"
        self._commands = Commands(conversation, self._settings, answer=self._answer, note=_note,
                                  confirmed=confirmed if self._terminal else None, speed=lambda: self._speed)

    def run(self) -> None:
        """Until the input ends or /quit."""
        config = self._conversation.session.model.config
        _note(f"{printable(config.name)}, context {config.context}. /help lists the commands, Ctrl-D leaves.")
        if not self._conversation.template:
            _note("This model has no chat template: it is no chat partner, it continues your text. Enter alone goes "
                  "on.")
        for turn in turns_of(self._commands.names):
            try:
                if turn.startswith("/"):
                    if not self._commands.run(turn[1:]):
                        return
                elif turn.strip() or not self._conversation.template:
                    self._answer(turn)
            except TritloomError as error:
                if not self._terminal:
                    raise
                _note(f"error: {error}")
            except KeyboardInterrupt:  # a moment too late for the answer that it was meant for
                if not self._terminal:
                    raise

    def _answer(self, question: str) -> None:
        answer, settings = Answer(), self._settings
        saturated = self._conversation.session.saturations
        with _interrupts() as interrupted, tqdm(desc="prompt", unit="tok", file=sys.stderr, leave=False, delay=1,
                                                disable=not sys.stderr.isatty()) as bar:

            def on_tokens(count: int) -> None:
                bar.update(count)
                if interrupted():
                    raise KeyboardInterrupt

            pieces = self._conversation.ask(question, settings.sampler, answer, count=settings.count,
                                            stops=settings.stops, on_tokens=on_tokens)
            stopped, show = False, _Screen(quiet=self._json)
            try:
                for piece in pieces:
                    bar.close()
                    show(piece)
                    if stopped := interrupted():
                        break
            except KeyboardInterrupt:
                stopped = True
            pieces.close()
            show.end()
        self._report(answer, stopped, self._conversation.session.saturations - saturated)

    def _report(self, answer: Answer, stopped: bool, saturations: int) -> None:
        if self._json:
            print(json.dumps({"prompt_tokens": answer.prompt_tokens, "cached_tokens": answer.cached,
                              "dropped_turns": answer.dropped, "ids": answer.ids, "text": answer.text,
                              "finish": answer.finish, "prefill_s": answer.prefill_s, "decode_s": answer.decode_s,
                              "tokens_per_s": answer.speed, "saturations": saturations}), flush=True)
        context = self._conversation.session.context
        if answer.dropped:
            turns = "turn was" if answer.dropped == 1 else f"{answer.dropped} turns were"
            _note(f"[the context of {context} is full: the oldest {turns} dropped]")
        if answer.full:
            _note(f"[the answer ends here: the context of {context} is full]")
        if stopped:
            _note("[interrupted]" if answer.ids else "[interrupted: the question was taken back]")
        if answer.reply:
            self._speed = f"{prompt_speed(answer.reply)}; {answer_speed(answer.reply)}"
            _note(f"[{self._speed}]")
        note_saturations(saturations)


class _Screen:
    """Puts an answer on standard output: wrapped at a terminal's width, elsewhere as it is."""

    def __init__(self, *, quiet: bool):
        self._quiet = quiet
        self._wrap: Wrap | None = None
        if sys.stdout is not None and sys.stdout.isatty():
            self._wrap = Wrap(lambda: shutil.get_terminal_size().columns)

    def __call__(self, piece: str) -> None:
        if not self._quiet:
            text = shown(piece)
            print(self._wrap(text) if self._wrap else text, end="", flush=True)

    def end(self) -> None:
        if not self._quiet:
            print(self._wrap.end() if self._wrap else "", flush=True)


def _note(text: str) -> None:
    """A dim line beside the conversation, on standard error."""
    print(dimmed(without_controls(text), sys.stderr), file=sys.stderr, flush=True)


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Within, the first Ctrl-C only makes the given function true, so that no device stops midway; the second ends."""
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
