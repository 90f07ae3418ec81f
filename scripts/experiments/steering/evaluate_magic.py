"""What control tokens move, and what they cost: `python -m scripts.experiments.steering.evaluate_magic`.

The shipped model fine-tuned by `models.train.magic`, converted, beside itself without tokens, the same fine-tune with
tokens dealt out at random, one without any tokens, and an untrained token. Prompts, judge and sampling are those of
`host.pipeline report --kind steering`; a token stands in the place of end-of-text, in front of prompts and of each
window of held-out text. On the emulator. `--record` writes the tables into docs/steering.md.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from host.control_tokens import control_token
from host.devices.emulator import EmulatorDevice
from host.pipeline.steering_bench.material import Material, Side, read_material
from host.pipeline.steering_bench.outcome import Bench
from host.runtime import Session
from host.scoring import token_losses
from models.checkpoint import Model, load_model
from models.command import CommandParser, run_command
from models.machine.build import CPU
from models.markdown import markdown_table
from scripts.experiments.steering.manner import AUSTEN, SCRIPTURE, write_manners
from scripts.marked_text import rewrite_marked

__all__ = ["Told", "headed", "losses_behind", "main", "page"]

PAGE = Path(__file__).resolve().parents[3] / "docs" / "steering.md"
MARKS = "<!-- magic: written by scripts.experiments.steering.evaluate_magic --record -->", "<!-- magic: end -->"
UNTRAINED = "spare"
END_OF_TEXT = 0

GOAL = 1.1, 0.8, 0.2
"""Of the issue: perplexity at most, share moved at least, and the plain model's share below."""


class Told(NamedTuple):
    """One model behind one token, "" for none. moved: shares of the other manner's prompts that go on in scripture and
    in austen; losses: nats of each held-out token, of scripture and of austen; texts: of austen's prompts."""

    model: str
    token: str
    moved: tuple[float, float]
    losses: tuple[np.ndarray, np.ndarray]
    texts: list[str]

    def costs(self, plain: Told) -> list[tuple[float, float]]:
        """Perplexity over another's, with its standard error over tokens in pairs: scripture, austen, both's mean."""
        apart = [mine - other for mine, other in zip(self.losses, plain.losses, strict=True)]
        means = [float(each.mean()) for each in apart]
        errors = [float(each.std(ddof=1)) / math.sqrt(len(each)) for each in apart]
        means.append((means[0] + means[1]) / 2)
        errors.append(math.hypot(*errors) / 2)
        return [(math.exp(mean), math.exp(mean) * error) for mean, error in zip(means, errors, strict=True)]


def headed(side: Side, token: int) -> Side:
    """Its prompts with another first token, in the place of end-of-text."""
    prompts = side.prompts.copy()
    prompts[:, 0] = token
    return side._replace(prompts=prompts)


def losses_behind(session: Session, token: int, windows: np.ndarray) -> np.ndarray:
    """Nats of every token of windows [windows, tokens] that each begin behind a token."""
    found = []
    for ids in windows.tolist():
        session.reset()
        found.append(token_losses(session.score([token, *ids[:-1]]), np.asarray(ids)))
    return np.concatenate(found)


def page(told: Sequence[Told], prompts: int) -> str:
    """The tables; the first of `told` is the shipped model, plain."""
    shipped = told[0]
    tuned = next(each for each in told if each.model == "no tokens")
    head = ["model", "token", "moved to scripture", "moved to Austen", "scripture's perplexity", "Austen's", "both's",
            "both's, over the fine-tune without tokens"]
    lines = []
    for each in told:
        shares = [f"{100 * share:.0f} ± {100 * math.sqrt(share * (1 - share) / prompts):.0f} %" for share in each.moved]
        costs = each.costs(shipped)
        lines.append([each.model, each.token or "none", *shares, *(f"× {cost:.3f} ± {error:.3f}" for cost, error in
                                                                  costs), f"× {each.costs(tuned)[2][0]:.3f}"])
    return "\n\n".join([
        f"{prompts} prompts of either manner. Perplexity over the shipped model's, plain, which is "
        f"{math.exp(shipped.losses[0].mean()):.2f} (scripture) and {math.exp(shipped.losses[1].mean()):.2f} (Austen).",
        markdown_table(head, lines), _goal(told, prompts), _samples(told)])


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.steering.evaluate_magic", description="Control tokens, measured.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the five novels and kjv.txt")
    parser.add_argument("--magic", required=True, metavar="DIR", help="converted model of models.train.magic")
    parser.add_argument("--shuffled", metavar="DIR", help="the same with --shuffle (left out where not given)")
    parser.add_argument("--without", required=True, metavar="DIR", help="the same with --plain 1")
    parser.add_argument("--prompts", type=int, default=64, help="of either manner (default: 64)")
    parser.add_argument("--new-tokens", type=int, default=40, help="after each (default: 40)")
    parser.add_argument("--windows", type=int, default=4, help="of half a context of either manner (default: 4)")
    parser.add_argument("--record", action="store_true", help="write the section into docs/steering.md")
    options = parser.parse_args(arguments)
    both = (SCRIPTURE, AUSTEN)
    asked = [("shipped", "demo", ("",)), ("no tokens", options.without, ("",)),
             ("tokens", options.magic, ("", *both, UNTRAINED))]
    if options.shuffled:
        asked.append(("shuffled tokens", options.shuffled, ("", *both)))
    with tempfile.TemporaryDirectory() as folder:
        texts = write_manners(options.data, Path(folder))
        material = read_material(load_model("demo"), texts.scripture, texts.austen,
                                 (texts.held_out_scripture, texts.held_out_austen), prompts=options.prompts,
                                 windows=options.windows, tokens=8192)
    told = []
    with tqdm(total=sum(len(tokens) for *_, tokens in asked), desc="models and tokens", file=sys.stderr,
              disable=not sys.stderr.isatty()) as bar:
        for name, where, tokens in asked:
            for each in _told(name, load_model(where), tokens, material, options.new_tokens):
                told.append(each)
                bar.update()
    written = page(told, options.prompts)
    print(written)
    if options.record:
        rewrite_marked(PAGE, *MARKS, lambda _: written)


def _told(name: str, model: Model, tokens: Sequence[str], material: Material, count: int) -> Iterator[Told]:
    session = Session(model, EmulatorDevice(CPU))
    for token in tokens:
        first = control_token(model.folder, token) if token else END_OF_TEXT
        sides = [headed(side, first) for side in (material.toward, material.away)]
        behind = material._replace(toward=sides[0], away=sides[1])
        benches = [Bench(model, behind, reverse=reverse, tokens=count) for reverse in (False, True)]
        yield Told(name, token, tuple(bench.plain_success for bench in benches),
                   tuple(losses_behind(session, first, side.windows) for side in sides), benches[0].plain_texts)


def _goal(told: Sequence[Told], prompts: int) -> str:
    """Where the tokens stand against the goal, for each manner."""
    most, moved, plain = GOAL
    lines = []
    for index, manner in enumerate((SCRIPTURE, AUSTEN)):
        mine = next(each for each in told if (each.model, each.token) == ("tokens", manner))
        none = next(each for each in told if (each.model, each.token) == ("tokens", ""))
        cost = mine.costs(told[0])[2][0]
        met = cost <= most and mine.moved[index] >= moved and none.moved[index] < plain
        lines.append(f"Toward {manner}: {100 * mine.moved[index]:.0f} % moved, {100 * none.moved[index]:.0f} % "
                     f"without the token, for {100 * (cost - 1):+.1f} % perplexity. The goal, at least "
                     f"{100 * moved:.0f} % and under {100 * plain:.0f} % at {100 * (most - 1):.0f} % more, is "
                     f"{'met' if met else 'not met'}.")
    return "\n".join(lines)


def _samples(told: Sequence[Told]) -> str:
    rows = [f"| {each.token or 'none'} | …{' '.join(each.texts[0].replace('|', ' ').split())} |" for each in told
            if each.model == "tokens"]
    return "\n".join(["| token | the first of Austen's prompts goes on |", "| --- | --- |", *rows])


if __name__ == "__main__":
    run_command(main)
