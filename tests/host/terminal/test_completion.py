"""What can stand where a command is being typed."""

import pytest

from host.terminal.completion import FILES, Names, candidates

NAMES = Names(("help", "set", "save", "show"), ("save",), ("top-k", "top-p", "stage"), ("spanish", "scripture"))


@pytest.mark.parametrize("text, start, words", [
    ("/", 1, ["help ", "set ", "save ", "show "]), ("/s", 1, ["set ", "save ", "show "]), ("/sh", 1, ["show "]),
    ("/x", 1, []), ("/set ", 5, ["top-k ", "top-p ", "stage "]), ("/set top", 5, ["top-k ", "top-p "]),
    ("/set top-k ", 11, []), ("/set stage s", 11, ["spanish ", "scripture "]), ("/set stage sc", 11, ["scripture "]),
    ("/save a b", 6, FILES), ("/help x", 7, ()), ("hello /s", 8, ()), ("/a\n/s", 5, ()), ("", 0, ()),
])
def test_candidates(text, start, words):
    assert candidates(text, NAMES) == (start, words)
