"""What answers cost: the sum that a loop over tokens gives, questions left out."""

import math

import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")

from models.train.answers import answer_bits  # noqa: E402
from models.train.control_tokens import add_control_tokens  # noqa: E402
from models.train.dialogues import Dialogue  # noqa: E402
from models.train.turns import ROLES  # noqa: E402


def test_bits_of_the_answers_alone(network, tokenizer):
    tokenizer = Tokenizer.from_str(tokenizer.to_str())  # the tests share it
    network, _ = add_control_tokens(network, tokenizer, ROLES)
    talks = [Dialogue("It was", ["and the", "the end of it", "more", "more"]), Dialogue("", ["so", "well"])]
    nats = 0.0
    for talk in talks:
        before = f"<|endoftext|>{talk.scene}<|user|>{talk.turns[0]}<|assistant|>"
        ids = tokenizer.encode(before).ids
        for token in tokenizer.encode(f"{talk.turns[1]}<|endoftext|>").ids:
            nats -= float(network.eval()(torch.tensor([ids]))[0, -1].log_softmax(-1)[token].detach())
            ids.append(token)
    expected = nats / math.log(2) / (len("the end of it") + len("well") + 2)
    assert answer_bits(network.train(), tokenizer, talks) == pytest.approx(expected, rel=1e-5) and network.training
