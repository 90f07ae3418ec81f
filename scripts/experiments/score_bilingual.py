"""What the bilingual model is worth: `python -m scripts.experiments.score_bilingual --data DIR --spanish FILE`.

Bits per character of the beginnings of held-out books of either language, on the exact emulator, and what it writes
after the openings of held-out verses. `--record` writes both into docs/shipped-model.md.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from host.sampler import Sampler
from host.scoring import total_nll
from host.text import Text
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.machine.build import CPU
from models.markdown import markdown_table
from models.text_file import read_text_file
from scripts.marked_text import rewrite_marked

__all__ = ["Score", "book", "main", "page"]

HELD_OUT = {"English": ("Romans", "1 Timothy"), "Spanish": ("Romanos", "1 Timoteo")}
PAGE = Path(__file__).parents[2] / "docs" / "shipped-model.md"
MARKS = "<!-- bilingual: written by scripts.experiments.score_bilingual --record -->", "<!-- bilingual: end -->"
HEADING = re.compile(r"^(.*[^\W\d_]) \d+\n\n", re.MULTILINE)
NEW_TOKENS = 60
OPENING = 5  # words of a verse


class Score(NamedTuple):
    """Bits per character of the beginning of a held-out book."""

    language: str
    name: str
    characters: int
    tokens: int
    bits: float


def book(text: str, name: str) -> str:
    """A book of a text with a heading `Book 3` a chapter, headings included; `OptionError` where it has none."""
    headings = list(HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    found = "".join(text[heading.start():end] for heading, end in zip(headings, ends, strict=True)
                    if heading[1] == name)
    if not found:
        raise OptionError(f"no book named {name}")
    return found


def page(scores: Iterable[Score], samples: Sequence[tuple[str, str]]) -> str:
    """Both as Markdown; samples: openings and what follows them."""
    table = markdown_table(["text", "characters", "tokens", "bits per character"],
                           [[f"*{score.name}*, {score.language}", f"{score.characters:,}", f"{score.tokens:,}",
                             f"{score.bits:.3f}"] for score in scores])
    written = "\n\n".join(f"`{opening}`\n\n```\n{opening}{text}\n```" for opening, text in samples)
    return (f"{table}\n\nTemperature 0.7, top-p 0.95, seed 0, {NEW_TOKENS} tokens after the first {OPENING} words of a "
            f"held-out verse:\n\n{written}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.score_bilingual", description=__doc__.partition(":")[0],
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of kjv.txt")
    parser.add_argument("--spanish", type=Path, required=True, metavar="FILE", help="scripts.read_bible_module's text")
    parser.add_argument("--model", default="bilingual", metavar="DIR", help="a converted model (default: bilingual)")
    parser.add_argument("--characters", type=int, default=10_000, help="of each book's beginning (default: 10,000)")
    parser.add_argument("--record", action="store_true", help="write both into docs/shipped-model.md")
    options = parser.parse_args(arguments)
    model = load_model(options.model)
    text = Text(model.folder)
    session = Session(model, EmulatorDevice(CPU))
    whole = {"English": read_text_file(options.data / "kjv.txt"), "Spanish": read_text_file(options.spanish)}
    scores, samples = [], []
    for language, names in HELD_OUT.items():
        for name in names:
            content = book(whole[language], name)[:options.characters]
            ids = text.encode(content)
            with tqdm(total=len(ids), desc=name, unit="tok", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
                nll = total_nll(session, [*text.before, *ids], bar.update)
            scores.append(Score(language, name, len(content), len(ids), nll / math.log(2) / len(content)))
        verse = book(whole[language], names[0]).split("\n")[6]
        opening = " ".join(verse.split()[:OPENING])
        samples.append((opening, _continued(session, text, opening)))
    written = page(scores, samples)
    print(written)
    if options.record:
        rewrite_marked(PAGE, *MARKS, lambda _: written)


def _continued(session: Session, text: Text, opening: str) -> str:
    session.reset()
    sampler, written = Sampler(0.7, 0, 0.95, 0), [*text.before, *text.encode(opening)]
    start, top = len(written), session.prefill(written)
    while len(written) < start + NEW_TOKENS and (token := sampler(top)) not in session.model.config.eos_ids:
        written.append(token)
        top = session.decode(token)
    return text.decode(written)[len(text.decode(written[:start])):]


if __name__ == "__main__":
    run_command(main)
