"""Which input there is: a line editor at a whole terminal, plain lines elsewhere and without prompt_toolkit."""

import io
import sys

import pytest

from host.terminal import source


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("given, screen, term, package, expected", [
    (Terminal, Terminal, "xterm", True, True), (io.StringIO, Terminal, "xterm", True, False),
    (Terminal, io.StringIO, "xterm", True, False), (Terminal, Terminal, "dumb", True, False),
    (Terminal, Terminal, None, True, False), (Terminal, Terminal, "xterm", False, False)])
def test_an_editor_needs_all_of_it(monkeypatch, given, screen, term, package, expected):
    monkeypatch.setattr(sys, "stdin", given("one\n"))
    monkeypatch.setattr(sys, "stdout", screen())
    monkeypatch.setattr(source, "find_spec", lambda name: package or None)
    monkeypatch.delenv("TERM", raising=False)
    if term:
        monkeypatch.setenv("TERM", term)
    assert source.has_editor() is expected


def test_lines_of_a_file_are_turns_as_they_are(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'"""one\ntwo"""\n/set n 3\n')))
    assert list(source.turns_of(None)) == ['"""one', 'two"""', "/set n 3"]
