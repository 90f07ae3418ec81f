"""Turns as a model reads them: the runtime's template says the same; what counts; what a batch is made of."""

import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")

from models.errors import ModelError  # noqa: E402
from models.train.control_tokens import add_control_tokens  # noqa: E402
from models.train.dialogues import Dialogue  # noqa: E402
from models.train.turns import END, TEMPLATE, TURN, Exchanges, first_answer, suffixes, written  # noqa: E402
from models.vocabulary.chat_template import ChatTemplate  # noqa: E402
from models.vocabulary.parts import ChatFormat  # noqa: E402

TALK = Dialogue("It rained.", ["A?", "B.", "C?", "D."])


def test_the_template_writes_what_training_reads():
    template = ChatTemplate(ChatFormat(TEMPLATE, END, f"<|{TURN}|>"))
    messages = [{"role": "system", "content": " It rained. "}] + [
        {"role": ("user", "assistant")[at % 2], "content": turn} for at, turn in enumerate(TALK.turns)]
    assert template.render(messages, answer_next=False) == written(TALK) == (
        f"{END}It rained.<|turn|>A?<|turn|>B.<|turn|>C?<|turn|>D.")
    assert template.render(messages[:2]) == f"{END}It rained.<|turn|>A?<|turn|>" == first_answer(TALK)[0]
    assert template.render(messages[1:2]) == first_answer(Dialogue("", ["A?", "B."]))[0] == f"{END}<|turn|>A?<|turn|>"


def test_an_answer_ends_with_what_follows_it():
    assert first_answer(TALK)[1] == "B.<|turn|>" and first_answer(Dialogue("", ["A?", "B."]))[1] == f"B.{END}"


def test_every_turn_but_the_last_begins_one():
    assert list(suffixes(Dialogue("s", ["A", "B", "C"]))) == [Dialogue("s", ["A", "B", "C"]), Dialogue("", ["B", "C"])]


def test_batches(network, tokenizer):
    tokenizer = Tokenizer.from_str(tokenizer.to_str())  # the tests share it
    add_control_tokens(network, tokenizer, [TURN])
    talks = [TALK, Dialogue("", ["E", "F"])]
    sequences = Exchanges(tokenizer, talks, 3, 40, 1)
    assert sequences.conversations == 4
    inputs, targets = sequences(5)
    assert inputs.shape == targets.shape == (3, 40) and (inputs[:, 1:] == targets[:, :-1]).all()
    assert (sequences(5)[0] == inputs).all() and (sequences(6)[0] != inputs).any()
    known = [written(part) for talk in talks for part in suffixes(talk)]
    for row in inputs.tolist():
        first, *parts = tokenizer.decode(row, skip_special_tokens=False).split(END)
        assert not first and len(parts) > 1
        assert all(END + part in known for part in parts[:-1]) and any(
            whole.startswith(END + parts[-1]) for whole in known)
    with pytest.raises(ModelError, match="no dialogues"):
        Exchanges(tokenizer, [], 1, 8, 0)
