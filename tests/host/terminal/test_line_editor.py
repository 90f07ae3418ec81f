"""What keys make of turns, through prompt_toolkit's own input."""

from threading import Timer

import pytest

pytest.importorskip("prompt_toolkit")

from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from host.terminal import line_editor
from host.terminal.completion import Names
from host.terminal.line_editor import LineEditor

END, INTERRUPT, UP, TAB = "\x04", "\x03", "\x1b[A", "\t"
NAMES = Names(("help", "set", "save"), ("save",), ("temperature", "top-k"), ())


def turns(keys, history=None):
    with create_pipe_input() as source:
        source.send_text(keys + END)
        editor = LineEditor(lambda: NAMES, history or InMemoryHistory(), source, DummyOutput())
        return list(editor.turns())


def paste(text):
    return f"\x1b[200~{text}\x1b[201~"


@pytest.mark.parametrize("keys, expected", [
    ("one\rtwo\r", ["one", "two"]), ("\r", [""]), ("", []),
    (paste("one\rtwo\rthree") + "\r", ["one\ntwo\nthree"]), (paste("one\ntwo") + " and\r", ["one\ntwo and"]),
    (paste("a\\\nb") + "\r", ["a\\\nb"]),
    ('"""one\rtwo\r"""\r', ["one\ntwo"]), ('"""\rone\r"""\rtwo\r', ["one", "two"]),
    ("one\\\rtwo\r", ["one\ntwo"]), ("one\ntwo\r", ["one\ntwo"]), ("one\x1b\rtwo\r", ["one\ntwo"]),
    (f"wrong{INTERRUPT}right\r", ["right"]), (f"one\r{INTERRUPT}two\r", ["one", "two"]),
    ("wörter 漢\r", ["wörter 漢"]),
    (f"/he{TAB}\r", ["/help "]), (f"/set te{TAB}0.3\r", ["/set temperature 0.3"]),
])
def test_keys(keys, expected):
    assert turns(keys) == expected


def test_files_are_completed(tmp_path):
    (tmp_path / "my talk.json").write_text("")
    assert turns(f"/save {tmp_path}/my{TAB}\r") == [f"/save {tmp_path}/my talk.json"]


@pytest.mark.parametrize("earlier", [False, True])
def test_what_was_typed_comes_again(monkeypatch, tmp_path, earlier):
    """In one chat, or in the next. Keys come when the editor has read its history, which it does meanwhile."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    keys = [paste("one\ntwo") + "\r", *([END] if earlier else []), f"{UP} more\r", END]
    with create_pipe_input() as source:

        class Waiting(FileHistory):
            async def load(self):
                async for line in super().load():
                    yield line
                source.send_text(keys.pop(0))

        monkeypatch.setattr(line_editor, "FileHistory", Waiting)
        waited_enough = Timer(60, source.send_text, [END * 2])  # a history that is never read must not hang the test
        waited_enough.start()
        typed = [list(LineEditor(lambda: NAMES, None, source, DummyOutput()).turns()) for _ in range(1 + earlier)]
        waited_enough.cancel()
    assert [turn for chat in typed for turn in chat] == ["one\ntwo", "one\ntwo more"] and not keys
    assert (tmp_path / "tritloom" / "chat_history").stat().st_mode & 0o777 == 0o600


def test_ctrl_c_with_nothing_typed_says_how_to_leave(capsys):
    assert turns(INTERRUPT) == [] and "Ctrl-D leaves" in capsys.readouterr().err
