"""From English to Spanish: `python -m scripts.experiments.steering.evaluate_language --data DIR --spanish FILE`.

Neural FOXP2 on the bilingual model beside the difference of means and SNMF's features, at several layers, each at the
strengths that cost given amounts of perplexity, with a random and a label-shuffled control. Methods are fitted on
training text, prompts and perplexity are of held-out books. All on the emulator. `--record` writes docs/steering.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tqdm import tqdm

from host.pipeline.stage import Stage
from host.pipeline.steering.contrast import Contrast, ContrastFit
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.pipeline.steering.foxp2 import Foxp2
from host.pipeline.steering.snmf import Snmf
from host.pipeline.steering_bench.budgets import strengths_at
from host.pipeline.steering_bench.material import Material, read_material
from host.pipeline.steering_bench.outcome import Bench, Outcome
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.errors import TritloomError
from models.markdown import markdown_table
from models.text_file import read_text_file
from scripts.experiments.score_bilingual import HELD_OUT, book
from scripts.marked_text import rewrite_marked

__all__ = ["BUDGETS", "Condition", "Found", "main", "page"]

BUDGETS = (0.1, 0.2, 0.5)
SHOWN = 0.2  # the budget whose continuations are shown
PAGE = Path(__file__).parents[3] / "docs" / "steering.md"
MARKS = ("<!-- language: written by scripts.experiments.steering.evaluate_language --record -->",
         "<!-- language: end -->")


class Condition(NamedTuple):
    """A method at layers, None: its own choice; options: others than its defaults."""

    name: str
    method: type[ContrastFit]
    layers: tuple[int, ...] | None = None
    options: dict[str, object] = {}


CONDITIONS = (
    Condition("FOXP2", Foxp2),
    Condition("difference of means", DifferenceOfMeans),
    Condition("random", Foxp2),
    Condition("FOXP2", Foxp2, (1,)),
    Condition("difference of means", DifferenceOfMeans, (0, 1)),
    Condition("SNMF, one feature", Snmf),
    Condition("FOXP2, labels shuffled", Foxp2),
    Condition("FOXP2, all channels", Foxp2, None, {"channels": 100.0}),
)
"""In the order in which they are worth knowing; "random" and "shuffled" are controls of the first."""


class Found(NamedTuple):
    """at: by budget, the strength that spends it and what came of it; error: why there is nothing, else ""."""

    name: str
    layers: tuple[int, ...]
    at: dict[float, tuple[float, Outcome]]
    error: str = ""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command. What is found is recorded as it comes, so that a run cut short leaves a page."""
    options = _parser().parse_args(arguments)
    model = load_model(options.model)
    material = _material(options, model)
    bench = Bench(model, material, tokens=options.new_tokens)
    found: list[Found] = []
    for each in tqdm(_found(bench, material.contrast), total=len(CONDITIONS), desc="conditions", file=sys.stderr,
                     disable=not sys.stderr.isatty()):
        found.append(each)
        written = page(bench, material, found)
        if options.record:
            rewrite_marked(PAGE, *MARKS, lambda _, written=written: written)
    if options.json:
        print(json.dumps({"plain": {"success": bench.plain_success, "perplexity": bench.plain_perplexity._asdict()},
                          "found": [each._asdict() | {"at": {budget: [strength, outcome._asdict()] for budget, (
                              strength, outcome) in each.at.items()}} for each in found]}))
    else:
        print(written)


def page(bench: Bench, material: Material, found: Sequence[Found]) -> str:
    """The tables and samples as Markdown."""
    right = " and ".join(f"{100 * share:.1f} %" for share in material.accuracy)
    plain = (f"{len(bench.plain_texts)} English prompts. The judge gives {100 * bench.plain_success:.0f} % of the\n"
             f"plain model's continuations to Spanish, and {right} of held-out Spanish and English to\n"
             f"their own. Perplexity of held-out text: {bench.plain_perplexity.target:.1f} (Spanish), "
             f"{bench.plain_perplexity.source:.1f} (English).")
    head = ["method", "layers", *(f"Spanish at +{100 * budget:.0f} %" for budget in BUDGETS),
            f"strength at +{100 * SHOWN:.0f} %", "perplexity there, Spanish / English"]
    lines = []
    for each in found:
        shown = each.at.get(SHOWN)
        lines.append([each.name, ", ".join(map(str, each.layers)), *(_share(each, budget) for budget in BUDGETS),
                      f"{shown[0]:.2f}" if shown else "–",
                      f"× {shown[1].cost.target:.2f} / {shown[1].cost.source:.2f}" if shown else "–"])
    first = found[0]
    texts = {"plain": bench.plain_texts} | {f"+{100 * budget:.0f} %": first.at[budget][1].texts
                                            for budget in (SHOWN, BUDGETS[-1]) if budget in first.at}
    samples = []
    for index, prompt in enumerate(bench.prompts()[:3]):
        rows = "\n".join(f"| {name} | …{_line(written[index])} |" for name, written in texts.items())
        samples.append(f"| **{_line(prompt)} …** | |\n| --- | --- |\n{rows}")
    return "\n\n".join([plain, markdown_table(head, lines), *(f"{each.name}: {each.error}." for each in found
                                                              if each.error),
                        f"Continuations by {first.name} at layers {', '.join(map(str, first.layers))}:", *samples])


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("scripts.experiments.steering.evaluate_language",
                           description="Steering English prompts to Spanish.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of kjv.txt")
    parser.add_argument("--spanish", type=Path, required=True, metavar="FILE", help="scripts.read_bible_module's text")
    parser.add_argument("--model", default="bilingual", metavar="DIR", help="a converted model (default: bilingual)")
    parser.add_argument("--prompts", type=int, default=64, help="held-out prompts (default: 64)")
    parser.add_argument("--new-tokens", type=int, default=24, help="tokens after each (default: 24)")
    parser.add_argument("--windows", type=int, default=2, help="held-out windows of half a context (default: 2)")
    parser.add_argument("--tokens", type=int, default=8192, help="tokens of each language to fit on (default: 8192)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, continuations included")
    parser.add_argument("--record", action="store_true", help="write the section into docs/steering.md")
    return parser


def _material(options: argparse.Namespace, model: object) -> Material:
    """Spanish is toward, English away; the held-out books are taken out of the rest."""
    whole = {"English": read_text_file(options.data / "kjv.txt"), "Spanish": read_text_file(options.spanish)}
    with TemporaryDirectory() as folder:
        paths = {}
        for language, text in whole.items():
            held_out = [book(text, name) for name in HELD_OUT[language]]
            for part in held_out:
                text = text.replace(part, "")
            for name, content in ((language, text), (f"{language} held out", "".join(held_out))):
                paths[name] = Path(folder) / f"{name}.txt"
                paths[name].write_text(content, encoding="utf-8")
        return read_material(model, paths["Spanish"], paths["English"],
                             (paths["Spanish held out"], paths["English held out"]), prompts=options.prompts,
                             windows=options.windows, tokens=options.tokens)


def _found(bench: Bench, contrast: Contrast) -> Iterator[Found]:
    """Every condition, in order."""
    first: Stage | None = None
    for condition in CONDITIONS:
        layers = condition.layers or tuple(condition.method.default_layers(bench.model.config.layers))
        try:
            if condition.name == "random":
                stage = first.randomised(0)
            else:
                shuffled = condition.name.endswith("shuffled")
                stage = _fitted(condition, contrast.shuffled(0) if shuffled else contrast, layers)
            first = first or stage
            yield _at_budgets(bench, condition.name, layers, stage)
        except TritloomError as error:
            yield Found(condition.name, layers, {}, str(error))


def _fitted(condition: Condition, contrast: Contrast, layers: Sequence[int]) -> Stage:
    return condition.method.load(condition.method.fit_contrast(contrast, layers, **condition.options).tensors)


def _at_budgets(bench: Bench, name: str, layers: tuple[int, ...], stage: Stage) -> Found:
    def cost(strength: float) -> float:
        try:
            return bench.cost([stage.with_strength(strength)]).both
        except TritloomError:  # beyond what a tap holds
            return float("inf")

    strengths = strengths_at(cost, BUDGETS)
    return Found(name, layers, {budget: (strength, bench([stage.with_strength(strength)]))
                                for budget, strength in strengths.items()})


def _share(found: Found, budget: float) -> str:
    if budget not in found.at:
        return "–"
    outcome = found.at[budget][1]
    return f"{100 * outcome.success:.0f} ± {100 * outcome.success_error:.0f} %"


def _line(text: str) -> str:
    """Line breaks as spaces, none of them doubled."""
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    run_command(main)
