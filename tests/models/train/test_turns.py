"""Turns as a model reads them: the runtime's template says the same; what counts; what a batch is made of."""

import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")

from models.errors import ModelError  # noqa: E402
from models.train.control_tokens import add_control_tokens  # noqa: E402
from models.train.controlled_sequences import IGNORED  # noqa: E402
from models.train.dialogues import Dialogue  # noqa: E402
from models.train.turns import END, ROLES, TEMPLATE, Exchanges, answer_targets, exchanges, written  # noqa: E402
from models.vocabulary.chat_template import ChatTemplate  # noqa: E402
from models.vocabulary.parts import ChatFormat  # noqa: E402

TALK = Dialogue("It rained.", ["A?", "B.", "C?", "D."])


def test_the_template_writes_what_training_reads():
    template = ChatTemplate(ChatFormat(TEMPLATE, END, END))
    messages = [{"role": "system", "content": " It rained. "}] + [
        {"role": ("user", "assistant")[at % 2], "content": turn} for at, turn in enumerate(TALK.turns)]
    assert template.render(messages, answer_next=False) == written(TALK) == (
        f"{END}It rained.<|user|>A?<|assistant|>B.{END}<|user|>C?<|assistant|>D.{END}")
    assert template.render(messages[:2]) == f"{END}It rained.<|user|>A?<|assistant|>"
    assert template.render(messages[1:2]) == written(Dialogue("", ["A?", "B."])).partition("B.")[0]


def test_every_turn_but_the_last_is_a_question_once():
    assert list(exchanges(Dialogue("s", ["A", "B", "C"]))) == [Dialogue("s", ["A", "B"]), Dialogue("", ["B", "C"])]
    assert [part.turns for part in exchanges(TALK)] == [["A?", "B.", "C?", "D."], ["B.", "C?"], ["C?", "D."]]


def test_answers_and_their_ends_count():
    ids = torch.tensor([0, 9, 5, 8, 6, 3, 4, 0, 5, 7, 6, 2, 0])  # 5: user, 6: assistant
    expected = [IGNORED] * 4 + [3, 4, 0] + [IGNORED] * 3 + [2, 0]
    assert answer_targets(ids, (5, 6)).tolist() == expected


def test_batches(network, tokenizer):
    tokenizer = Tokenizer.from_str(tokenizer.to_str())  # the tests share it
    add_control_tokens(network, tokenizer, ROLES)
    talks = [TALK, Dialogue("", ["E", "F"])]
    sequences = Exchanges(tokenizer, talks, 3, 40, 1)
    assert sequences.conversations == 4
    inputs, targets = sequences(5)
    assert inputs.shape == targets.shape == (3, 40) and (inputs[:, 1:] == targets[:, :-1]).all()
    assert (sequences(5)[0] == inputs).all() and (sequences(6)[0] != inputs).any()
    known = {written(part) for talk in talks for part in exchanges(talk)}
    for row in inputs.tolist():
        text = tokenizer.decode(row, skip_special_tokens=False)
        *whole, last = text.split(END * 2)
        assert all(END * bool(at) + part.removeprefix(END) + END in known for at, part in enumerate(whole, 1)), text
        assert any(talk.startswith((END * bool(whole) + last).replace(END * 2, END)) for talk in known), text
    with pytest.raises(ModelError, match="no dialogues"):
        Exchanges(tokenizer, [], 1, 8, 0)
