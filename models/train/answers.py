"""What answers cost a network: bits per character of what a dialogue's second speaker says, given all before it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from models.train.dialogues import Dialogue
from models.train.network import BitNet
from models.train.turns import first_answer

__all__ = ["answer_bits"]


@torch.no_grad()
def answer_bits(network: BitNet, tokenizer: Tokenizer, dialogues: Sequence[Dialogue]) -> float:
    """Of the first answer of each dialogue, its end counted as one character."""
    training, nats, characters = network.training, 0.0, 0
    network.eval()
    for dialogue in dialogues:
        before, answer = (tokenizer.encode(text).ids for text in first_answer(dialogue))
        ids = torch.tensor([*before, *answer])[:network.shape.context]
        logits = network(ids[None, :-1])[0, len(before) - 1:]
        nats += float(F.cross_entropy(logits, ids[len(before):], reduction="sum"))
        characters += len(dialogue.turns[1]) + 1
    network.train(training)
    return nats / math.log(2) / characters
