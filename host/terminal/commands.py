"""What the lines that begin with a slash do."""

from __future__ import annotations

import os
from collections.abc import Callable

from host.conversation import Conversation
from host.terminal.completion import Names
from host.terminal.settings import SETTINGS, Settings
from host.terminal.transcript import read_transcript, write_transcript
from models.config import SHIPPED, SHIPPED_LICENCE
from models.errors import OptionError, printable

__all__ = ["HELP", "Commands"]

HELP = '''\
/help            this text
/again           another answer to the last question
/undo            take back the last question and answer
/reset           forget all turns
/system TEXT     set the system message; without TEXT, remove it
/set NAME VALUE  temperature, top-k, top-p, min-p, repeat-penalty, repeat-last, seed, n, stop; /set alone shows them
/set stage X S   set the strength of stage X, a name or a number, to S
/stage           list the stages; /stage N S is short for /set stage N S
/show            model, licence, context, speed, settings, system message
/save FILE       write the talk as JSON; asks before it overwrites
/load FILE       go on with a talk that was saved
/quit            leave (so does Ctrl-D)
Text between """ and """ is one turn, and so is a pasted one; a line that ends in \\ goes on in the next. Ctrl-C stops
an answer and keeps what was said. To send a text that starts with /, write a space before it.'''


class Commands:
    """answer: asks a question. note: says something beside the talk. confirmed: whether the user says yes, None where
    nobody can be asked. speed: the last answer's, in words."""

    def __init__(self, conversation: Conversation, settings: Settings, *, answer: Callable[[str], None],
                 note: Callable[[str], None], confirmed: Callable[[str], bool] | None, speed: Callable[[], str]):
        self._conversation, self._settings = conversation, settings
        self._answer, self._note, self._confirmed, self._speed = answer, note, confirmed, speed
        self._known = {"help": self._help, "again": self._again, "undo": self._undo, "reset": self._reset,
                       "system": self._system, "set": self._set, "stage": self._stage, "show": self._show,
                       "save": self._save, "load": self._load}

    def names(self) -> Names:
        """For completion."""
        return Names((*self._known, "quit"), ("save", "load"), SETTINGS, self._settings.stage_names())

    def run(self, line: str) -> bool:
        """Do what a line says, without its slash; whether the chat goes on. `TritloomError` for what cannot be done."""
        name, _, rest = line.partition(" ")
        if name in ("quit", "exit", "bye"):
            return False
        if name not in self._known:
            raise OptionError(f"unknown command /{name}; /help lists them")
        self._known[name](rest.strip())
        return True

    def _help(self, _: str) -> None:
        self._note(HELP)

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

    def _set(self, rest: str) -> None:
        name, _, value = rest.partition(" ")
        if name:
            self._settings.change(name, value.strip())
        chosen = [(known, value) for known, value in self._settings.lines() if not name or known.split()[0] == name]
        self._note("\n".join(f"{known}: {value}" for known, value in chosen))

    def _stage(self, rest: str) -> None:
        lines = list(self._settings.stage_lines())
        if not lines:
            raise OptionError("there are no stages: start the chat with --stage")
        if words := rest.split():
            try:
                number, strength = words
                index, value = int(number) - 1, float(strength)
            except ValueError:
                raise OptionError(f"/stage takes a stage's number and a strength, got {rest!r}") from None
            if not 0 <= index < len(lines):
                raise OptionError(f"there is no stage {number}: /stage lists them")
            self._settings.set_strength(index, value)
        self._note("\n".join(f"{name}: {value}" for name, value in self._settings.stage_lines()))

    def _show(self, _: str) -> None:
        session = self._conversation.session
        config, made = session.model.config, session.model.provenance
        licence = SHIPPED_LICENCE if session.model.folder in SHIPPED.values() else made.get("license") or "not recorded"
        rows = [("model", f"{config.name}, {config.parameters:,} weights"), ("licence", licence),
                ("template", "yes" if self._conversation.template else "none: it continues your text"),
                ("context", f"{self._conversation.size()} of {session.context} tokens, {self._turns()}"),
                ("speed", self._speed()), *self._settings.lines(),
                ("system", self._conversation.system or "none")]
        width = max(len(name) for name, _ in rows)
        self._note("\n".join(printable(f"{name:{width}}  {value}") for name, value in rows))

    def _save(self, name: str) -> None:
        if not name:
            raise OptionError("/save needs a file name")
        if os.path.isfile(os.path.expanduser(name)):
            if self._confirmed is None:
                raise OptionError(f"{name} exists: /save overwrites only where it can ask, at a terminal")
            if not self._confirmed(f"{printable(name)} exists. Overwrite it?"):
                self._note("not saved")
                return
        write_transcript(name, self._conversation.messages)
        self._note(f"saved to {name}")

    def _load(self, name: str) -> None:
        if not name:
            raise OptionError("/load needs a file name")
        self._conversation.resume(read_transcript(name))
        self._note(f"{self._turns()} from {name}")

    def _turns(self) -> str:
        count = sum(message["role"] == "user" for message in self._conversation.messages)
        return "1 turn" if count == 1 else f"{count} turns"
