"""Windows of a continuation: whole words, the whole text, nothing behind its end."""

import pytest

from host.pipeline.steering_bench.text_windows import text_windows
from host.text import Text
from models.checkpoint import load_model

TEXT = Text(load_model("demo").folder)
PROMPT = TEXT.encode("It was a truth")
IDS = TEXT.encode(" unacknowledgedly Nebuchadnezzar went over-hastily unto Northampton, and Saul's sons prophesied.")


@pytest.mark.parametrize("size", range(1, 8))
def test_words_stay_whole_where_they_begin(size):
    found, whole = text_windows(TEXT, PROMPT, IDS, size), TEXT.decode(IDS)
    assert len(found) == len(IDS) // size and whole.startswith("".join(found))
    for before, behind in zip(found, found[1:], strict=False):
        assert not (before[-1:].isalpha() and behind[:1].isalpha())
    for index, part in enumerate(found):
        start = len(TEXT.decode([*PROMPT, *IDS[:index * size]])) - len(TEXT.decode(PROMPT))
        at = len("".join(found[:index]))
        assert at >= start and whole[start:at].isalpha() == (at > start), "only a word's end moves on"
        assert whole[at:at + len(part)] == part


def test_a_word_that_the_prompt_began_belongs_to_none():
    assert "".join(text_windows(TEXT, [*PROMPT, *IDS[:1]], IDS[1:], 1)).startswith(" Nebuchad")


def test_nothing_behind_the_end_counts():
    ended = [*IDS[:5], 0, *IDS[5:]]
    assert text_windows(TEXT, PROMPT, ended, 2, ends=(0,)) == text_windows(TEXT, PROMPT, IDS[:5], 2)
    assert len(text_windows(TEXT, PROMPT, ended, 2, ends=(0,))) == 2
