"""Turns typed with prompt_toolkit: history of earlier chats, a paste or a block as one turn, completion.

Enter sends, but within a block that is still open, and behind a backslash, it starts a new line; so does Ctrl-J. Tab
completes. Ctrl-C takes back what is typed, Ctrl-D on an empty line ends the input.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.shortcuts import CompleteStyle
from prompt_toolkit.styles import Style

from host.terminal.blocks import is_open, unfenced
from host.terminal.colours import coloured
from host.terminal.completion import FILES, Names, candidates
from host.terminal.history import history_file

__all__ = ["LineEditor"]

_STYLE = Style.from_dict({"": "ansicyan", "prompt": "ansicyan bold"})


class LineEditor:
    """names: what commands take, asked at each completion. history: None for the file. source, screen: for tests."""

    def __init__(self, names: Callable[[], Names], history: History | None = None, source: Input | None = None,
                 screen: Output | None = None):
        shown = coloured(sys.stdout)
        self._session: PromptSession = PromptSession(
            history=_history() if history is None else history, completer=_Completer(names),
            complete_style=CompleteStyle.READLINE_LIKE, key_bindings=_keys(), multiline=True,
            style=_STYLE if shown else None, color_depth=None if shown else ColorDepth.DEPTH_1_BIT,
            prompt_continuation=lambda width, *_: "… ".rjust(width), enable_open_in_editor=True, input=source,
            output=screen)

    def turns(self) -> Iterator[str]:
        """What is typed, turn by turn, blocks without their fences, until the input ends.

        Ctrl-C with nothing typed does no more than to say how to leave.
        """
        while True:
            try:
                text = self._session.prompt([("class:prompt", "> ")])
            except EOFError:
                return
            except KeyboardInterrupt:
                print("(Ctrl-D leaves)", file=sys.stderr)
                continue
            yield unfenced(text)


def _history() -> History:
    path = history_file()
    return InMemoryHistory() if path is None else FileHistory(os.fspath(path))


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.text.endswith("\\") and buffer.cursor_position == len(buffer.text):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        elif is_open(buffer.text):
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("c-j")
    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt)

    return keys


class _Completer(Completer):
    def __init__(self, names: Callable[[], Names]):
        self._names, self._files = names, PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: object) -> Iterator[Completion]:
        start, words = candidates(document.text_before_cursor, self._names())
        if words is FILES:
            yield from self._files.get_completions(Document(document.text_before_cursor[start:]), complete_event)
        else:
            for word in words:
                yield Completion(word, start - len(document.text_before_cursor))
