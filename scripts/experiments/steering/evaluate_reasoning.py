"""Does reasoning find what holds, and what does it cost? `python -m scripts.experiments.steering.evaluate_reasoning`.

Planted concepts and rules of several hops, beside a readout of one hop and directions drawn at random; propositions on
held-out text; and, from the results of `evaluate_steering --results FILE`, what each manner's text costs under each
method. `--record` writes it into docs/steering.md.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.observing import residuals
from host.pipeline.sequence_stage import SequenceRows
from host.pipeline.steering.concepts import balanced_threshold
from host.pipeline.steering.contrast import Contrast
from host.pipeline.steering.reasoning import Reasoning
from host.pipeline.steering.rules import NOW, SO_FAR
from host.pipeline.steering_bench.comparison import COMPARED, Compared
from host.pipeline.texts import spread, text_ids
from models.checkpoint import Model, load_model
from models.command import CommandParser, run_command
from models.machine.build import CPU
from models.markdown import markdown_table
from scripts.experiments.steering.manner import write_manners
from scripts.experiments.steering.planted_ontology import HOPS, NAMES, RULES_TEXT, grow_world, verdicts
from scripts.marked_text import rewrite_marked

__all__ = ["cost_table", "held_out_table", "main", "planted_row", "planted_table"]

PAGE = Path(__file__).resolve().parents[3] / "docs" / "steering.md"
MARKS = ("<!-- reasoning: written by scripts.experiments.steering.evaluate_reasoning --record -->",
         "<!-- reasoning: end -->")
NOISES = (1.0, 2.0, 3.0)
PLACES = (4, 8, 16, 32, 128)  # of a token in its window: from each to the next

_WINDOW, _WINDOWS = 128, 16


def planted_row(model: Model, noise: float, seed: int) -> np.ndarray:
    """Accuracies [3, hops and both]: chained, one round of rules, random directions with thresholds fitted to them.

    An unknown verdict counts as half right, a coin's worth; where both sides hold, unknown is right.
    """
    world = grow_world(model.config.hidden_size, noise, seed)
    found = []
    for what in ("chained", "one hop", "random"):
        states = [rows[None] for rows in world.fitted]
        if what == "random":
            states = [np.random.default_rng([seed, index]).standard_normal(rows.shape) for index, rows in
                      enumerate(states)]
        fitted = dict(Reasoning.fit_states(NAMES, states, [0], RULES_TEXT, "rules").tensors)
        if what == "random":  # thresholds as good as these directions allow
            fitted["thresholds"] = _thresholds(fitted["directions"], world.fitted)
        stage = Reasoning.load(fitted)
        rounds = 1 if what == "one hop" else None
        shares = []
        for index in range(len(HOPS)):
            right = [(sign * verdicts(stage, model, world.asked[index + offset], rounds=rounds) + 1) / 2
                     for sign, offset in ((1, 0), (-1, len(HOPS)))]
            shares.append(float(np.mean(right)))
        found.append([*shares, float(np.mean(verdicts(stage, model, world.both, rounds=rounds) == 0))])
    return np.array(found)


def planted_table(model: Model, seeds: int) -> str:
    """Means and standard errors over worlds."""
    head = ["noise", "", *(f"{hops} hop{'s' * (hops > 1)}" for hops in HOPS), "both sides: unknown"]
    lines = []
    for noise in NOISES:
        found = 100 * np.array([planted_row(model, noise, seed) for seed in range(seeds)])
        errors = found.std(axis=0, ddof=1) / np.sqrt(seeds)
        for index, what in enumerate(("chained", "one hop", "random directions")):
            lines.append([f"{noise:g}" if not index else "", what,
                          *(f"{mean:.1f} ± {error:.1f} %" for mean, error in
                            zip(found.mean(axis=0)[index], errors[index], strict=True))])
    return markdown_table(head, lines)


def held_out_table(model: Model, data: Path) -> str:
    """Balanced accuracy of the propositions on held-out text, by the place of a token in its window."""
    with tempfile.TemporaryDirectory() as folder:
        texts = write_manners(data, Path(folder))
        contrast = Contrast.read(model, texts.scripture, texts.austen, 8192)
        layers = Reasoning.default_layers(model.config.layers)
        stage = Reasoning.load(Reasoning.fit_contrast(contrast, layers).tensors)
        right: dict[str, list[np.ndarray]] = {"this token": [], "so far": []}
        for path, sign in ((texts.held_out_scripture, 1), (texts.held_out_austen, -1)):
            ids = spread(text_ids(model, path), _WINDOW * _WINDOWS, _WINDOW)
            facts = np.stack([_facts(stage, model, ids[start:start + _WINDOW], layers[0])
                              for start in range(0, _WINDOW * _WINDOWS, _WINDOW)])
            for what, places in (("this token", NOW), ("so far", SO_FAR)):
                right[what].append(facts[..., places.start] == sign)  # `toward` is the first concept
    lines = []
    for what, (scripture, austen) in right.items():
        cells = [f"{50 * (scripture[:, start:end].mean() + austen[:, start:end].mean()):.1f} %"
                 for start, end in zip(PLACES, PLACES[1:], strict=False)]
        lines.append([what, *cells])
    return markdown_table(["scripture holds", *(f"tokens {start} to {end - 1}" for start, end in
                                                zip(PLACES, PLACES[1:], strict=False))], lines)


def cost_table(found: Sequence[Compared]) -> str:
    """Of each method, target and cost: what moved, and where the perplexity went."""
    lines = []
    for each in found:
        for row in each.rows:
            if row.what == "fitted" and row.budget in COMPARED:
                o = row.outcome
                control = max((other.outcome.success for other in each.rows
                               if (other.what, other.budget) == ("random", row.budget)), default=None)
                lines.append([each.target, f"+{100 * row.budget:.0f} %", each.method, f"{row.strength:.3g}",
                              f"× {o.cost.target:.3f}", f"× {o.cost.source:.3f}",
                              f"{100 * o.success:.0f} ± {100 * o.success_error:.0f} %",
                              "–" if control is None else f"{100 * control:.0f} %"])
    lines.sort(key=lambda line: (line[0] != "scripture", float(line[1].strip("+ %"))))
    return markdown_table(["toward", "cost", "method", "strength", "perplexity, target's text", "source's text",
                           "moved", "random vectors"], lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.steering.evaluate_reasoning",
                           description="ActivationReasoning on planted worlds, on held-out text, and what it costs.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the five novels and kjv.txt")
    parser.add_argument("--results", type=Path, required=True, metavar="FILE",
                        help="results of evaluate_steering with the methods to compare")
    parser.add_argument("--seeds", type=int, default=8, help="planted worlds (default: 8)")
    parser.add_argument("--record", action="store_true", help="write the section into docs/steering.md")
    options = parser.parse_args(arguments)
    model = load_model("demo")
    kept = json.loads(options.results.read_text("utf-8"))["methods"]
    written = "\n\n".join([
        f"*Planted*: {options.seeds} worlds of {len(NAMES)} concepts in {model.config.hidden_size} channels; verdicts "
        "that are right, a coin tossed for unknown ones:", planted_table(model, options.seeds),
        f"*Propositions* on held-out text, {_WINDOWS} windows of either manner; balanced accuracy:",
        held_out_table(model, options.data), "*Where the perplexity goes*, at equal cost:",
        cost_table([Compared.from_json(each) for each in kept])])
    print(written)
    if options.record:
        rewrite_marked(PAGE, *MARKS, lambda _: written)


def _thresholds(directions: np.ndarray, rows: Sequence[np.ndarray]) -> np.ndarray:
    scores = [each @ directions.T for each in rows]
    return np.array([balanced_threshold(scores[index][:, index], np.concatenate(
        [other[:, index] for at, other in enumerate(scores) if at != index]))[0] for index in range(len(rows))])


def _facts(stage: Reasoning, model: Model, ids: Sequence[int], layer: int) -> np.ndarray:
    """What holds of a window's tokens, in the stage's integers."""
    rows = residuals(model, EmulatorDevice(CPU), ids, skipped=0)[layer]
    stage.begin([SequenceRows(0, 0, len(rows), 0)])
    return stage.facts(np.rint(np.ldexp(rows, model.residual_fraction_bits)).astype(np.int64), model)


if __name__ == "__main__":
    run_command(main)
