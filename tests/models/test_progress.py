"""What long work says, on a terminal and elsewhere."""

import io
import sys
import time

import pytest

import models.progress
from models.progress import working


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_elsewhere_it_is_one_line_at_once(capsys):
    with working("digging"):
        assert capsys.readouterr().err == "digging\n"
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_seconds_are_counted(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(models.progress, "_EVERY", 0.01)
    with working("digging"):
        assert terminal.getvalue().startswith("\rdigging, 00:0")
        for _ in range(1000):
            if terminal.getvalue().count("\rdigging") > 3:
                break
            time.sleep(0.01)
    assert terminal.getvalue().count("\rdigging") > 3 and terminal.getvalue().endswith("\n")


def test_errors_go_through_and_a_closed_standard_error_is_none(monkeypatch, capsys):
    with pytest.raises(KeyError), working("digging"):
        raise KeyError
    monkeypatch.setattr(sys, "stderr", None)
    with working("digging"):
        pass
    assert capsys.readouterr().out == ""
