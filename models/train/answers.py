"""What answers cost a network: bits per character of what a dialogue's second speaker says, given all before it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from models.train.dialogues import Dialogue
from models.train.network import BitNet
from models.train.turns import ROLES, answer_targets, written

__all__ = ["answer_bits"]


@torch.no_grad()
def answer_bits(network: BitNet, tokenizer: Tokenizer, dialogues: Sequence[Dialogue]) -> float:
    """Of the first exchange of each dialogue, the answer's end counted as one character."""
    roles = [tokenizer.token_to_id(f"<|{name}|>") for name in ROLES]
    training, nats, characters = network.training, 0.0, 0
    network.eval()
    for dialogue in dialogues:
        first = Dialogue(dialogue.scene, dialogue.turns[:2])
        ids = torch.tensor(tokenizer.encode(written(first)).ids)[:network.shape.context]
        nats += float(F.cross_entropy(network(ids[None, :-1])[0], answer_targets(ids, roles), reduction="sum"))
        characters += len(first.turns[1]) + 1
    network.train(training)
    return nats / math.log(2) / characters
