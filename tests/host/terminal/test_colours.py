"""Colours at a terminal alone, and not where somebody said no."""

import io

import pytest

from host.terminal.colours import coloured, dimmed


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("variables, stream, expected", [
    ({}, Terminal(), True), ({}, io.StringIO(), False), ({}, None, False), ({"NO_COLOR": "1"}, Terminal(), False),
    ({"NO_COLOR": ""}, Terminal(), True), ({"TERM": "dumb"}, Terminal(), False),
])
def test_colours(monkeypatch, variables, stream, expected):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert coloured(stream) is expected
    assert dimmed("a", stream) == ("\x1b[2ma\x1b[0m" if expected else "a")
