"""Dialogues out of a novel: who speaks is told by paragraphs, and the narrator's words are left out."""

import pytest

from models.train.dialogues import LONGEST_TURN, dialogues

NOVEL = '''CHAPTER I

She looked at _him_ for
a while.

"You are late," said Emma. "It is ten."

"I am," replied he, "and I am
sorry."

"_Sorry!_ That is all?"

He left the room without a word, and did not come back that day.

"Where is he?" she cried to the "others" there.

They had not seen him.

"The first paragraph of a long speech.

"And the second." she said.

"An answer."'''


def found(text):
    return [(dialogue.scene, dialogue.turns) for dialogue in dialogues(text)]


def test_a_novel():
    assert found(NOVEL) == [
        ("She looked at him for a while.",
         ["You are late. It is ten.", "I am, and I am sorry.", "Sorry! That is all?"]),
        ("They had not seen him.", ["The first paragraph of a long speech. And the second.", "An answer."])]


@pytest.mark.parametrize("text", ["", "No speech.", '"One speech alone."', '"A."\n\nHe left.\n\n"B."',
                                  '"A," he said, and then told the whole story of it.\n\n"B."'])
def test_where_nobody_answers_there_is_none(text):
    assert found(text) == []


def test_scenes_are_short_narration():
    turns = '"A."\n\n"B."'
    assert [found(f"{scene}\n\n{turns}")[0][0] for scene in ("It rained.", "x " * 300, 'He said "so" to all of them')
            ] == ["It rained.", "", ""]
    assert found(f"It rained.\n\nIt poured.\n\n{turns}")[0][0] == "It poured."


def test_long_turns_end_with_a_sentence():
    sentence = "I saw Mr. Elton there. "
    (_, (turn, other)), = found(f'"{sentence * 40}"\n\n"{"word " * 100}"')
    assert turn.endswith("there.") and LONGEST_TURN - len(sentence) < len(turn) <= LONGEST_TURN
    assert other.endswith("word...") and len(other) <= LONGEST_TURN + 3
    short = "Mr. " * 70
    (_, (turn, _)), = found(f'"{short}{"x" * 100} y"\n\n"B."')
    assert turn.endswith("Mr....")
