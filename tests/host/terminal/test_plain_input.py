"""Lines of standard input: what ends one, what joins two, what is refused."""

import io
import sys

import pytest

from host.terminal.plain_input import user_lines
from models.errors import OptionError


@pytest.fixture
def lines(monkeypatch):
    """The lines of standard input that holds these bytes, in a locale that is not UTF-8."""

    def read(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))
        return list(user_lines())

    return read


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_systems_differ_in_their_ends_alone(lines, end, mark):
    text = end.join([mark + b"/reset", "é\u2028\x0c\x85".encode(), b"", b"a\rb", b"on\\", b"e", b"/quit"])
    expected = ["/reset", "é\u2028\x0c\x85", "", "a\rb", "on\ne", "/quit"]
    assert lines(text) == lines(text + end) == lines(text + b"\r") == expected


def test_what_an_end_of_input_cuts_is_a_line(lines):
    assert lines(b"one\\") == ["one"] and lines(b"") == [] and lines(b"one\\\ntwo\\\n") == ["one\ntwo"]


@pytest.mark.parametrize("data", [b"ab\xff\n", "hé\n".encode("utf-16"), "hi\n".encode("utf-16-le"),
                                  "é".encode("latin-1")])
def test_other_encodings_are_refused(lines, data):
    with pytest.raises(OptionError, match="^standard input is not UTF-8: "):
        lines(data)


def test_a_line_without_an_end_is_refused(lines, monkeypatch):
    monkeypatch.setattr("host.terminal.plain_input.LARGEST_TEXT", 8)
    assert lines(b"1234567\n1234567") == ["1234567"] * 2
    with pytest.raises(OptionError, match="has a line of more than 8 characters"):
        lines(b"123456789\n")
