"""Dialogues as a novel prints them, questions exchanged, and the page."""

from models.train.dialogues import Dialogue
from scripts.experiments.score_chat import Score, page, printed, with_other_questions

TALKS = [Dialogue("It rained.", ["A?", "B."]), Dialogue("", ["C?", "D. " * 40, "E."])]


def test_a_novel_prints_lines():
    assert printed(TALKS[0]) == ('It rained.\n\n"A?"\n\n"', 'B."')
    before, answer = printed(TALKS[1])
    assert before == '"C?"\n\n"' and answer.split() == ["D."] * 39 + ['D.', '"'] and answer.count("\n") == 1


def test_other_questions_stand_before_the_same_answers():
    exchanged = with_other_questions(TALKS)
    assert [talk.turns[1:] for talk in exchanged] == [["B."], TALKS[1].turns[1:]]
    assert [(talk.scene, talk.turns[0]) for talk in exchanged] == [("", "C?"), ("It rained.", "A?")]


def test_the_page_has_scores_and_talks():
    written = page([Score("chat", "its own question", 100, 300, 400.0)], [[("hello", "Oh!"), ("well?", "Yes.")]])
    assert "| chat | its own question | 100 | 54.6 | 1.924 |" in written
    assert "> hello\n Oh!\n> well?\n Yes.\n```" in written
