"""Conversations as a model reads them, and batches of them: each turn behind a token that says whose it is.

    <|endoftext|>SCENE<|user|>QUESTION<|assistant|>ANSWER<|endoftext|><|user|>...

`TEMPLATE` makes the same of a chat's messages: the system message is the scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor

from models.errors import ModelError
from models.train.controlled_sequences import IGNORED
from models.train.corpus import SEED_STRIDE
from models.train.dialogues import Dialogue

__all__ = ["END", "ROLES", "TEMPLATE", "Exchanges", "answer_targets", "exchanges", "written"]

END = "<|endoftext|>"
ROLES = ("user", "assistant")
"""Names of the control tokens, in turn."""
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'system' %}{{ message.content | trim }}"
    "{% elif message.role == 'user' %}{{ '<|user|>' + (message.content | trim) }}"
    "{% else %}{{ '<|assistant|>' + (message.content | trim) + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")
"""In Jinja, for `models.vocabulary.chat_template`."""


def written(dialogue: Dialogue) -> str:
    """A dialogue with an even number of turns as one text."""
    text = END + dialogue.scene
    for at, turn in enumerate(dialogue.turns):
        text += f"<|{ROLES[at % 2]}|>{turn}" + END * (at % 2)
    return text


def exchanges(dialogue: Dialogue) -> Iterator[Dialogue]:
    """The dialogue from each of its turns on, which is then a question, to the last that is an answer.

    The scene stays before the first turn alone.
    """
    for start in range(len(dialogue.turns) - 1):
        turns = dialogue.turns[start:]
        yield Dialogue("" if start else dialogue.scene, turns[:len(turns) // 2 * 2])


def answer_targets(ids: Tensor, roles: Sequence[int]) -> Tensor:
    """ids[1:] with all `IGNORED` but the tokens of answers and their ends; roles: ids of the tokens of `ROLES`."""
    user, assistant = roles
    targets, answering = ids[1:].clone(), False
    for at, (token, target) in enumerate(zip(ids.tolist(), ids[1:].tolist(), strict=False)):
        answering = (answering or token == assistant) and token not in (user, 0)
        if not answering:
            targets[at] = IGNORED
        answering = answering and target != user
    return targets


class Exchanges:
    """Batches by step, which depend on seed and step alone: conversations from any question on, one behind the other.

    All tokens count. `ModelError` where there is no dialogue.
    """

    def __init__(self, tokenizer: Tokenizer, dialogues: Sequence[Dialogue], batch: int, window: int, seed: int):
        self._ids = [torch.tensor(tokenizer.encode(written(part)).ids)
                     for dialogue in dialogues for part in exchanges(dialogue)]
        if not self._ids:
            raise ModelError("the texts have no dialogues: paragraphs of direct speech, one after the other")
        self.batch, self.window, self.seed = batch, window, seed

    @property
    def conversations(self) -> int:
        """How many there are to draw from."""
        return len(self._ids)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a step, each [batch, window]."""
        rng = torch.Generator().manual_seed(self.seed * SEED_STRIDE + step)
        rows = torch.stack([self._row(rng) for _ in range(self.batch)])
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()

    def _row(self, rng: torch.Generator) -> Tensor:
        parts: list[Tensor] = []
        while sum(map(len, parts)) <= self.window:
            parts.append(self._ids[int(torch.randint(len(self._ids), (), generator=rng))])
        return torch.cat(parts)[:self.window + 1]
