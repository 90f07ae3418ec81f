"""What goes to a terminal: control characters as escapes, all else as it is."""

import io
import sys

import pytest

from host.screen import shown, without_controls

TEXT = "a\tb\nñ 你好\u3000e\u0301 👩\u200d🚀\u2028"
CONTROLS = [*range(9), 11, 12, *range(14, 32), 127, *range(128, 160), 13]


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_text_is_left_alone():
    assert without_controls(TEXT) == TEXT


@pytest.mark.parametrize("code", CONTROLS)
def test_controls_are_escaped(code):
    found = without_controls(f"a{chr(code)}[2Jb")
    assert chr(code) not in found and found.startswith("a\\") and found.endswith("[2Jb")


def test_only_a_terminal_is_protected(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Screen())
    assert shown("\x1b]0;x\x07") == "\\x1b]0;x\\x07"
    for elsewhere in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stdout", elsewhere)
        assert shown("\x1b]0;x\x07") == "\x1b]0;x\x07"
