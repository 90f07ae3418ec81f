"""What answers cost: the sum that a loop over tokens gives, questions left out."""

import math

import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")

from models.train.answers import answer_bits  # noqa: E402
from models.train.control_tokens import add_control_tokens  # noqa: E402
from models.train.dialogues import Dialogue  # noqa: E402
from models.train.turns import TURN  # noqa: E402


def test_bits_of_the_answers_alone(network, tokenizer):
    tokenizer = Tokenizer.from_str(tokenizer.to_str())  # the tests share it
    network, _ = add_control_tokens(network, tokenizer, [TURN])
    talks = [Dialogue("It was", ["and the", "the end of it", "more", "more"]), Dialogue("", ["so", "well"])]
    nats = 0.0
    for talk, end in zip(talks, ("<|turn|>", "<|endoftext|>"), strict=True):
        before = f"<|endoftext|>{talk.scene}<|turn|>{talk.turns[0]}<|turn|>"
        ids = tokenizer.encode(before).ids
        for token in tokenizer.encode(talk.turns[1] + end).ids:
            nats -= float(network.eval()(torch.tensor([ids]))[0, -1].log_softmax(-1)[token].detach())
            ids.append(token)
    expected = nats / math.log(2) / (len("the end of it") + len("well") + 2)
    assert answer_bits(network.train(), tokenizer, talks) == pytest.approx(expected, rel=1e-5) and network.training
