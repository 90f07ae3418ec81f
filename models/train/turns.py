"""Conversations as a model reads them, and batches of them: one token stands before each turn, whoever speaks.

    <|endoftext|>SCENE<|turn|>QUESTION<|turn|>ANSWER<|turn|>QUESTION<|turn|>...

So every turn of a dialogue is an answer to the one before it, and the token that begins a turn ends another.
`TEMPLATE` makes the same of a chat's messages: the system message is the scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor

from models.errors import ModelError
from models.train.corpus import SEED_STRIDE
from models.train.dialogues import Dialogue

__all__ = ["END", "TEMPLATE", "TURN", "Exchanges", "first_answer", "suffixes", "written"]

END = "<|endoftext|>"
"""Around every dialogue."""
TURN = "turn"
"""Name of the control token before each turn."""
TEMPLATE = ("{{ bos_token }}{% for message in messages %}{{ '' if message.role == 'system' else '<|turn|>' }}"
            "{{ message.content | trim }}{% endfor %}{{ '<|turn|>' if add_generation_prompt else '' }}")
"""In Jinja, for `models.vocabulary.chat_template`."""


def written(dialogue: Dialogue) -> str:
    """A dialogue as one text."""
    return END + dialogue.scene + "".join(f"<|{TURN}|>{turn}" for turn in dialogue.turns)


def first_answer(dialogue: Dialogue) -> tuple[str, str]:
    """All before the answer to the first turn, and the answer with the token that ends it."""
    before = written(Dialogue(dialogue.scene, dialogue.turns[:1])) + f"<|{TURN}|>"
    return before, dialogue.turns[1] + (f"<|{TURN}|>" if len(dialogue.turns) > 2 else END)


def suffixes(dialogue: Dialogue) -> Iterator[Dialogue]:
    """The dialogue from each of its turns on but the last. The scene stays before the first turn alone."""
    for start in range(len(dialogue.turns) - 1):
        yield Dialogue("" if start else dialogue.scene, dialogue.turns[start:])


class Exchanges:
    """Batches by step, which depend on seed and step alone: conversations from any turn on, one behind the other.

    All tokens count. `ModelError` where there is no dialogue.
    """

    def __init__(self, tokenizer: Tokenizer, dialogues: Sequence[Dialogue], batch: int, window: int, seed: int):
        self._ids = [torch.tensor(tokenizer.encode(written(part)).ids)
                     for dialogue in dialogues for part in suffixes(dialogue)]
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
