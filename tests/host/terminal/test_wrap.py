"""Lines broken between words, whatever the pieces: lengths, wide characters, what may not be lost."""

import random
import textwrap

import pytest

from host.terminal.wrap import Wrap, columns_of


def wrapped(pieces, width):
    wrap = Wrap(lambda: width)
    return "".join([*map(wrap, pieces), wrap.end()])


def columns(line):
    return sum(map(columns_of, line))


@pytest.mark.parametrize("width, text, expected", [
    (9, "one two three", "one two\nthree"), (7, "one two", "one two"), (6, "one two", "one\ntwo"),
    (5, "one  two", "one\ntwo"), (20, "  indented\n\n  again ", "  indented\n\n  again"),
    (4, "abcdefghij k", "abcd\nefgh\nij k"), (6, "a abcdefgh", "a\nabcdef\ngh"),
    (4, "漢字漢字漢", "漢字\n漢字\n漢"), (5, "a漢字b", "a漢字\nb"), (6, "ab 漢字", "ab 漢\n字"),
    (3, "e\u0301e\u0301e\u0301e\u0301", "e\u0301e\u0301e\u0301\ne\u0301"), (12, "a\tb", "a       b"),
    (1, "漢", "漢"), (80, "", ""), (5, "\n\n", "\n\n"),
])
def test_lines(width, text, expected):
    assert wrapped([text], width) == wrapped(text, width) == expected


def test_any_pieces_of_random_words_are_as_textwrap_has_them():
    draw = random.Random(0)
    for width in (1, 7, 20, 33):
        words = ["".join(draw.choices("abc-'", k=draw.randint(1, 12))) for _ in range(200)]
        text = " ".join(words)
        cuts = sorted(draw.sample(range(len(text)), 60))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
        expected = textwrap.fill(text, width, break_on_hyphens=False) if width > 12 else None
        found = wrapped(pieces, width)
        assert all(columns(line) <= width for line in found.split("\n"))
        assert found == (expected or wrapped([text], width))
        assert found.replace("\n", "").replace(" ", "") == text.replace(" ", "")


def test_a_word_is_held_until_it_ends_and_not_longer():
    wrap = Wrap(lambda: 10)
    assert [wrap(piece) for piece in ("one t", "w", "o ", "thr", "ee\n")] == ["one", "", " two", "", "\nthree\n"]


def test_a_window_that_changes():
    widths = iter([20, 20, 5, 5, 5, 5])
    wrap = Wrap(lambda: next(widths))
    assert wrap("one two three ") + wrap("four ") == "one two\nthree\nfour"
