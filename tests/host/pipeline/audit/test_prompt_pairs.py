"""Pairs of prompts that differ in a word."""

from host.pipeline.audit.prompt_pairs import find_pairs, swapped_tokens
from host.text import Text
from models.checkpoint import load_model


def test_words_of_one_token_are_swapped_both_ways():
    text = Text(load_model("demo").folder)
    found = swapped_tokens(text, (("he", "she"), ("he", "they"), ("was", "antidisestablishmentarian")))
    he, she, they = (text.encode(f" {word}")[0] for word in ("he", "she", "they"))
    assert found == {he: she, she: he, they: he}


def test_pairs_differ_at_their_word_and_in_what_follows():
    ids = [7, 1, 2, 3, 4, 5, 6] * 30
    found = find_pairs(ids, {7: 9, 4: 8}, 5, lambda prompt: 100 + prompt[12] * (prompt[12] in (7, 9)))
    assert len(found) == 5
    for pair in found:
        differing = [place for place, (a, b) in enumerate(zip(pair.clean, pair.corrupted, strict=True)) if a != b]
        assert differing == [pair.place] and list(pair.positions) == [12, 13, 14, 15] and len(pair.clean) == 16
        assert pair.clean[12] == 7 and pair.corrupted[12] == 9  # 4 and 8 decide nothing
        assert pair.best == (107, 109)


def test_a_text_without_the_words_gives_none():
    assert find_pairs([1, 2, 3] * 20, {7: 9}, 5, lambda prompt: prompt[-1]) == []
