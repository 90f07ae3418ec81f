"""What the chat model is worth: `python -m scripts.experiments.score_chat --data DIR`.

Bits per character of the first answer of each dialogue of a held-out novel, on the exact emulator: behind its own
question, and behind that of another dialogue; beside it the shipped model, which reads the same as a novel prints it.
Then what it answers. `--record` writes both into docs/shipped-model.md.
"""

from __future__ import annotations

import argparse
import math
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from host.conversation import Answer, Conversation
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from host.sampler import Sampler
from host.scoring import token_losses
from host.text import Text
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.machine.build import CPU
from models.markdown import markdown_table
from models.text_file import read_text_file
from models.train.dialogues import Dialogue, dialogues
from scripts.marked_text import rewrite_marked

__all__ = ["Score", "main", "page", "printed", "with_other_questions"]

HELD_OUT = "austen_northanger_abbey.txt"
PAGE = Path(__file__).parents[2] / "docs" / "shipped-model.md"
MARKS = "<!-- chat: written by scripts.experiments.score_chat --record -->", "<!-- chat: end -->"
TALKS = (("Do you like dancing, Miss Morland?", "And with whom did you dance?"), ("How do you do, my dear?",),
         ("What is the capital of France?",), ("hello", "who are you?"))
COLUMNS = 70  # of a printed novel
LONGEST = 80  # tokens of an answer shown


class Score(NamedTuple):
    """Of all answers together."""

    model: str
    question: str
    tokens: int
    characters: int
    nats: float

    @property
    def bits(self) -> float:
        """A character."""
        return self.nats / math.log(2) / self.characters

    @property
    def perplexity(self) -> float:
        """A token."""
        return math.exp(self.nats / self.tokens)


def printed(dialogue: Dialogue) -> tuple[str, str]:
    """The first exchange as a novel has it: all before the answer, and the answer with the quote that ends it."""
    first = "\n\n".join(textwrap.fill(part, COLUMNS) for part in (dialogue.scene, f'"{dialogue.turns[0]}"') if part)
    return f'{first}\n\n"', textwrap.fill(f'"{dialogue.turns[1]}"', COLUMNS)[1:]


def with_other_questions(held_out: Sequence[Dialogue]) -> list[Dialogue]:
    """Each answer behind the scene and the question of the dialogue before it."""
    return [Dialogue(other.scene, [other.turns[0], *own.turns[1:]])
            for own, other in zip(held_out, [held_out[-1], *held_out[:-1]], strict=True)]


def page(scores: Sequence[Score], talks: Sequence[Sequence[tuple[str, str]]]) -> str:
    """Both as Markdown; talks: questions and what was answered."""
    table = markdown_table(
        ["model", "behind", "tokens", "perplexity", "bits per character"],
        [[score.model, score.question, f"{score.tokens:,}", f"{score.perplexity:.1f}", f"{score.bits:.3f}"]
         for score in scores])
    written = "\n\n".join("\n".join(textwrap.fill(f"{who} {text}", 100) for question, answer in talk
                                    for who, text in ((">", question), ("", answer))) for talk in talks)
    return f"{table}\n\nTemperature 0.7, top-p 0.95, seed 0, each talk anew:\n\n```\n{written}\n```"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.score_chat", description=__doc__.partition(":")[0],
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help=f"folder of {HELD_OUT}")
    parser.add_argument("--model", default="chat", metavar="DIR", help="a converted model (default: chat)")
    parser.add_argument("--record", action="store_true", help="write both into docs/shipped-model.md")
    options = parser.parse_args(arguments)
    held_out = list(dialogues(read_text_file(options.data / HELD_OUT)))
    conversation = Conversation(Session(load_model(options.model), EmulatorDevice(CPU)))

    def in_turns(dialogue: Dialogue) -> tuple[str, str]:
        scene = [{"role": "system", "content": dialogue.scene}] if dialogue.scene else []
        messages = [*scene, {"role": "user", "content": dialogue.turns[0]}]
        chat = conversation.template.chat
        end = chat.eos_token if len(dialogue.turns) > 2 else chat.bos_token
        return conversation.template.render(messages), dialogue.turns[1] + end

    plain = Session(load_model("demo"), EmulatorDevice(CPU))
    scores = [
        _score("chat", "its own question", conversation.session, conversation.text, held_out, in_turns),
        _score("chat", "another's", conversation.session, conversation.text, with_other_questions(held_out), in_turns),
        _score("demo", "its own question", plain, Text(plain.model.folder), held_out, printed),
        _score("demo", "another's", plain, Text(plain.model.folder), with_other_questions(held_out), printed)]
    written = page(scores, [list(_talk(conversation, questions)) for questions in TALKS])
    print(written)
    if options.record:
        rewrite_marked(PAGE, *MARKS, lambda _: written)


def _score(name: str, behind: str, session: Session, text: Text, held_out: Sequence[Dialogue],
           split: Callable[[Dialogue], tuple[str, str]]) -> Score:
    """split: what is read before an answer, and the answer with its end, which counts as one character."""
    tokens = characters = 0
    nats = 0.0
    for dialogue in tqdm(held_out, desc=name, leave=False, disable=not sys.stderr.isatty()):
        before, answer = split(dialogue)
        first, ids = text.prompt(before), text.encode(answer, special=True)
        session.reset()
        logits = session.score([*first, *ids[:-1]])
        nats += float(token_losses(logits[len(first) - 1:], ids).sum())
        tokens, characters = tokens + len(ids), characters + len(dialogue.turns[1]) + 1
    return Score(name, behind, tokens, characters, nats)


def _talk(conversation: Conversation, questions: Sequence[str]) -> Iterator[tuple[str, str]]:
    conversation.reset()
    sampler = Sampler(0.7, 0, 0.95, 0)
    for question in questions:
        yield question, "".join(conversation.ask(question, sampler, Answer(), count=LONGEST)).strip()


if __name__ == "__main__":
    run_command(main)
