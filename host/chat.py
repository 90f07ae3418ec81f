"""Talk with a model in the terminal: `python -m host.chat --model DIR`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from host.command_line import add_head_option, add_model_options, note_saturations, open_model, start_session
from host.control_tokens import add_magic_option, control_token
from host.conversation import Answer, Conversation
from host.sampler import add_sampling_options, sampler_from
from host.screen import shown, without_controls
from host.stage_options import Chosen, chosen_stages
from host.stop_strings import StopStrings, stop_ids
from host.user_lines import at_terminal, confirmed, user_lines
from models.command import CommandParser, run_command
from models.errors import OptionError, TritloomError, printable

__all__ = ["main", "parser"]

_PLAIN_TOKENS = 100  # a plain text has no end of its own
_HELP = """\
/help           this text
/again          another answer to the last question
/undo           take back the last question and answer
/reset          forget all turns
/system TEXT    set the system message; without TEXT, remove it
/stage          list the stages; /stage N S sets the strength of the Nth to S
/save FILE      write the conversation as JSON; asks before it overwrites
/quit           leave (so does Ctrl-D)
A line that ends in \\ goes on in the next. Ctrl-C stops an answer. To send a text that starts with /, write a space
before it."""


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser(
        "host.chat", description="Talk with a model. Where standard input is no terminal, every line of it is a "
        "turn or a command. With --json, every answer is an object on a line of its own.")
    add_model_options(parser)
    add_head_option(parser)
    add_magic_option(parser)
    parser.add_argument("--system", metavar="TEXT", help="the system message")
    parser.add_argument("-n", type=int, metavar="N", help="tokens of an answer at most (default: as the context "
                        f"allows; {_PLAIN_TOKENS} for a model without a chat template)")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT",
                        help="end an answer before this text or special token; may be given several times")
    add_sampling_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if sys.stdin is None:  # closed: the input has ended before it began
        return
    if options.n is not None and options.n < 1:
        raise OptionError(f"-n must be at least 1, got {options.n}")
    StopStrings(options.stop)
    sampler = sampler_from(options)
    model = open_model(options)
    chosen = chosen_stages(options, model)
    token = control_token(model.folder, options.magic)
    session = start_session(options, model, chosen, progress=True)
    chat = _Chat(Conversation(session, options.system, token), sampler, options, chosen)
    try:
        chat.run()
    finally:
        session.device.close()


class _Chat:
    """Reads lines, answers them or does what they command."""

    def __init__(self, conversation: Conversation, sampler: Callable, options: argparse.Namespace, chosen: Chosen):
        self._conversation, self._sampler, self._options, self._chosen = conversation, sampler, options, chosen
        stop_ids(options.stop, conversation.text)
        self._terminal = at_terminal()
        self._count = options.n if options.n or conversation.template else _PLAIN_TOKENS
        self._commands = {"help": self._help, "again": self._again, "undo": self._undo, "reset": self._reset,
                          "system": self._system, "stage": self._stage, "save": self._save}

    def run(self) -> None:
        """Until the input ends or /quit."""
        config = self._conversation.session.model.config
        self._note(f"{printable(config.name)}, context {config.context}. /help lists the commands, Ctrl-D leaves.")
        if not self._conversation.template:
            self._note("This model has no chat template: it is no chat partner, it continues your text. Enter alone "
                       "goes on.")
        for line in user_lines():
            try:
                if line.startswith("/"):
                    name, _, rest = line[1:].partition(" ")
                    if name in ("quit", "exit"):
                        return
                    self._command(name, rest.strip())
                elif line.strip() or not self._conversation.template:
                    self._answer(line)
            except TritloomError as error:
                if not self._terminal:
                    raise
                self._note(f"error: {error}")

    def _answer(self, question: str) -> None:
        answer, quiet = Answer(), self._options.json
        saturated = self._conversation.session.saturations
        with _interrupts() as interrupted, tqdm(desc="prompt", unit="tok", file=sys.stderr, leave=False, delay=1,
                                                disable=not sys.stderr.isatty()) as bar:

            def on_tokens(count: int) -> None:
                bar.update(count)
                if interrupted():
                    raise KeyboardInterrupt

            pieces = self._conversation.ask(question, self._sampler, answer, count=self._count,
                                            stops=self._options.stop, on_tokens=on_tokens)
            stopped = False
            try:
                for piece in pieces:
                    bar.close()
                    if not quiet:
                        print(shown(piece), end="", flush=True)
                    if stopped := interrupted():
                        break
            except KeyboardInterrupt:
                stopped = True
            pieces.close()
        self._report(answer, stopped, self._conversation.session.saturations - saturated)

    def _report(self, answer: Answer, stopped: bool, saturations: int) -> None:
        if self._options.json:
            print(json.dumps({"prompt_tokens": answer.prompt_tokens, "cached_tokens": answer.cached,
                              "dropped_turns": answer.dropped, "ids": answer.ids, "text": answer.text,
                              "prefill_s": answer.prefill_s, "decode_s": answer.decode_s,
                              "tokens_per_s": answer.speed, "saturations": saturations}), flush=True)
        else:
            print(flush=True)
        context = self._conversation.session.context
        if answer.dropped:
            turns = "turn was" if answer.dropped == 1 else f"{answer.dropped} turns were"
            self._note(f"[the context of {context} is full: the oldest {turns} dropped]")
        if answer.full:
            self._note(f"[the answer ends here: the context of {context} is full]")
        if stopped:
            self._note("[interrupted]" if answer.ids else "[interrupted: the question was taken back]")
        cached = f" ({answer.cached} cached)" if answer.cached else ""
        self._note(f"[{answer.prompt_tokens} prompt tokens{cached} at {answer.prompt_speed:.1f} tok/s, "
                   f"{len(answer.ids)} new at {answer.speed:.1f} tok/s]")
        note_saturations(saturations)

    def _command(self, name: str, rest: str) -> None:
        if name not in self._commands:
            raise OptionError(f"unknown command /{name}; /help lists them")
        self._commands[name](rest)

    def _help(self, _: str) -> None:
        self._note(_HELP)

    def _again(self, _: str) -> None:
        question = self._conversation.undo()
        if question is None:
            raise OptionError("there is no question yet")
        self._answer(question)

    def _undo(self, _: str) -> None:
        question = self._conversation.undo()
        self._note("nothing to take back" if question is None else f"taken back: {question}")

    def _reset(self, _: str) -> None:
        self._conversation.reset()
        self._note("a new conversation")

    def _system(self, text: str) -> None:
        self._conversation.set_system(text or None)
        self._note("system message set" if text else "no system message")

    def _stage(self, rest: str) -> None:
        stages, session = self._chosen.stages, self._conversation.session
        if not stages:
            raise OptionError("there are no stages: start the chat with --stage")
        if words := rest.split():
            try:
                number, strength = words
                index, value = int(number) - 1, float(strength)
            except ValueError:
                raise OptionError(f"/stage takes a stage's number and a strength, got {rest!r}") from None
            if not 0 <= index < len(stages):
                raise OptionError(f"there is no stage {number}: /stage lists them")
            self._chosen = self._chosen.with_strength(index, value, session.model)
            self._conversation.act(self._chosen)
        for at, (name, stage) in enumerate(self._chosen.stages, 1):
            self._note(f"{at}: {name}, {stage.kind} by {stage.method}, strength {stage.strength:g}")

    def _save(self, name: str) -> None:
        if not name:
            raise OptionError("/save needs a file name")
        there = os.path.isfile(name)
        if there and not self._terminal:
            raise OptionError(f"{name} exists: /save overwrites only where it can ask, at a terminal")
        if there and not confirmed(f"{printable(name)} exists. Overwrite it?"):
            self._note("not saved")
            return
        try:
            Path(name).write_text(json.dumps(self._conversation.messages, indent=1, ensure_ascii=False) + "\n",
                                  encoding="utf-8")
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            raise OptionError(f"{name} cannot be written: {getattr(error, 'strerror', None) or error}") from None
        self._note(f"saved to {name}")

    def _note(self, text: str) -> None:
        """A dim line beside the conversation, on standard error."""
        text = without_controls(text)
        dim = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        print(f"\x1b[2m{text}\x1b[0m" if dim else text, file=sys.stderr, flush=True)


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


if __name__ == "__main__":
    run_command(main)
