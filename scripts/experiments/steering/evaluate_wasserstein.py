"""How near steering brings one text's activations to another's:
`python -m scripts.experiments.steering.evaluate_wasserstein --data DIR --record`.

LinEAS is fitted to bring them together. Here its 1-D Wasserstein distances are taken on held-out text, from the
residuals of the exact emulator, beside no steering, the difference of means and LinEAS' own numbers at random channels,
each at the same cost in perplexity. The floor is the distance between two halves of the target's text. Fitting takes
PyTorch.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.measuring import Sessions, measure
from host.pipeline.observing import SKIPPED, observe
from host.pipeline.placement import place
from host.pipeline.site import Site, points_of
from host.pipeline.stage import Stage
from host.pipeline.steering.contrast import Contrast
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.pipeline.steering.lin_eas import LinEAS
from host.pipeline.steering_bench.budgets import strengths_at
from host.pipeline.steering_bench.material import body
from host.pipeline.texts import spread
from host.text import Text
from models.checkpoint import Model, load_model
from models.command import CommandParser, run_command
from models.errors import TritloomError
from models.machine.build import CPU
from models.markdown import markdown_table
from models.text_file import read_text_file
from scripts.experiments.steering.manner import AUSTEN, SCRIPTURE, write_manners
from scripts.marked_text import rewrite_marked

__all__ = ["HeldOut", "distances", "main", "measured", "page"]

_DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "steering.md"
MARKS = ("<!-- wasserstein: written by scripts.experiments.steering.evaluate_wasserstein --record -->",
         "<!-- wasserstein: end -->")
BUDGETS = (0.05,)
"""Beside what the whole fitted map costs, strength 1."""


class HeldOut(NamedTuple):
    """Windows of ids that nothing was fitted to, of one length. source: to be steered; target, half: of the target's
    manner, as many each, by turns."""

    source: list[list[int]]
    target: list[list[int]]
    half: list[list[int]]


def distances(source: np.ndarray, target: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Mean over channels of the 1-D Wasserstein distance of order 1, over the channel's deviation: float64 [layers].

    source, target: [layers, windows, tokens, hidden], as many values of both; deviations: [layers, hidden].
    """
    rows = [np.sort(side.reshape(len(side), -1, side.shape[-1]), axis=1) for side in (source, target)]
    return (np.abs(rows[0] - rows[1]).mean(axis=1) / deviations).mean(axis=1)


def jackknife(source: np.ndarray, target: np.ndarray, deviations: np.ndarray) -> float:
    """Standard error of the mean over layers of `distances`, by leaving out a window of either side at a time."""
    count = source.shape[1]
    left = [distances(np.delete(source, i, axis=1), np.delete(target, i, axis=1), deviations).mean()
            for i in range(count)]
    return float(np.sqrt((count - 1) * np.var(left)))


def states(model: Model, windows: Sequence[Sequence[int]], stages: Sequence[Stage] = ()) -> np.ndarray:
    """The emulator's residual behind each layer under stages, [layers, windows, tokens, hidden]."""
    points, placement = points_of(Site.RESIDUAL, model.config), place(stages, model)
    seen = [observe(model, EmulatorDevice(CPU), points, window, taps=placement.taps, skipped=SKIPPED)
            for window in windows]
    return np.stack([np.stack([one[point] for one in seen]) for point in points])


def measured(contrast: Contrast, held_out: HeldOut, names: tuple[str, str], **options: object) -> dict[str, Any]:
    """One direction, ready for JSON. names: of target and source; options: of LinEAS' fit, others than its defaults."""
    model, layers = contrast.model, range(contrast.model.config.layers)
    settings = {name: option.default for name, option in LinEAS.options.items() if name in ("steps", "sparsity")}
    fit = LinEAS.fit_contrast(contrast, layers, **settings | options)
    lin_eas = LinEAS.load(fit.tensors)
    mean = DifferenceOfMeans.load(DifferenceOfMeans.fit_contrast(
        contrast, DifferenceOfMeans.default_layers(len(layers))).tensors)
    cost = _cost(model, held_out)
    target, plain = states(model, held_out.target), states(model, held_out.source)
    deviations = np.maximum(target.std(axis=(1, 2)), 1e-6)

    def row(name: str, values: np.ndarray, **more: float) -> dict[str, Any]:
        return {"name": name, "layers": distances(values, target, deviations).tolist(),
                "error": jackknife(values, target, deviations)} | more

    whole = cost(lin_eas)
    rows = [row("no steering", plain)]
    for budget in (*BUDGETS, whole - 1):
        for name, stage in (("lin-eas", lin_eas), ("difference of means", mean),
                            ("lin-eas, channels at random", lin_eas.randomised(0))):
            strengths = {budget: 1.0} if stage is lin_eas and budget == whole - 1 else strengths_at(
                lambda strength, stage=stage: cost(stage.with_strength(strength)), [budget])
            if budget in strengths:
                steered = stage.with_strength(strengths[budget])
                rows.append(row(name, states(model, held_out.source, [steered]), strength=strengths[budget],
                                cost=cost(steered)))
    rows.append(row("floor: the target's other half", states(model, held_out.half)))
    moved = (fit.tensors["scales"] != 0) | (fit.tensors["shifts"] != 0)
    return {"target": names[0], "source": names[1], "support": float(moved.mean()),
            "support_by_layer": moved.mean(axis=1).tolist(), "fitted": fit.details["wasserstein_before_after"],
            "windows": len(held_out.source), "tokens": len(held_out.source[0]) - SKIPPED, "rows": rows}


def _cost(model: Model, held_out: HeldOut) -> Callable[[Stage], float]:
    """Of a stage: perplexity over the plain model's, geometric mean of both manners' first windows; infinity where a
    tap does not hold it."""
    sessions, texts = Sessions(model), [side[:4] for side in (held_out.source, held_out.target)]

    def nats(stages: Sequence[Stage]) -> float:
        return float(np.mean([np.mean(measure(model, stages, window, points=(), sessions=sessions).losses)
                              for side in texts for window in side]))

    plain = nats(())

    def cost(stage: Stage) -> float:
        try:
            return float(np.exp(nats([stage]) - plain))
        except TritloomError:
            return float("inf")
    return cost


def page(found: Sequence[dict[str, Any]]) -> str:
    """A table a direction."""
    parts = []
    for each in found:
        layers = len(each["rows"][0]["layers"])
        rows = [[row["name"], f"{row['strength']:.3g}" if "strength" in row else "–",
                 f"× {row['cost']:.3f}" if "cost" in row else "–", *(f"{value:.3f}" for value in row["layers"]),
                 f"{np.mean(row['layers']):.3f} ± {row['error']:.3f}"] for row in each["rows"]]
        by_layer = ", ".join(f"{100 * share:.0f}" for share in each["support_by_layer"])
        parts += [f"Toward {each['target']}: `lin-eas` changes {100 * each['support']:.1f} % of the channels "
                  f"({by_layer} % by layer). {each['windows']} windows of {each['tokens']} held-out tokens of "
                  f"{each['source']} against as many of {each['target']}. On the passages that it is fitted on, by the "
                  f"float network: {each['fitted'][0]:.3f} before, {each['fitted'][1]:.3f} after.",
                  markdown_table(["", "strength", "perplexity", *(f"layer {layer}" for layer in range(layers)), "mean"],
                                 rows)]
    return "\n\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.steering.evaluate_wasserstein",
                           description="Distances of steered activations from the target's, on held-out text.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, metavar="DIR", help="folder of the five novels and kjv.txt")
    source.add_argument("--report", type=Path, metavar="FILE", help="what --json printed, instead")
    parser.add_argument("--model", default="demo", metavar="DIR", help="a converted model's folder, or demo (default)")
    parser.add_argument("--windows", type=int, default=12, help="held-out windows of a side (default: 12)")
    parser.add_argument("--tokens", type=int, default=128, help="tokens of each (default: 128)")
    parser.add_argument("--fitted", type=int, default=8192, help="training tokens of each manner (default: 8192)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--record", action="store_true", help="write the tables into docs/steering.md")
    options = parser.parse_args(arguments)
    if options.report:
        found = json.loads(read_text_file(options.report))["directions"]
    else:
        found = _both(load_model(options.model), options.data, options.fitted, options.windows, options.tokens)
    if options.record:
        rewrite_marked(_DOCUMENT, *MARKS, lambda _: page(found))
    print(json.dumps({"directions": found}) if options.json else page(found))


def _both(model: Model, data: Path, fitted: int, windows: int, tokens: int) -> list[dict[str, Any]]:
    text = Text(model.folder)
    with tempfile.TemporaryDirectory() as folder:
        manners = write_manners(data, Path(folder))
        contrast = Contrast.read(model, manners.scripture, manners.austen, fitted)
        sides = []
        for path in (manners.held_out_scripture, manners.held_out_austen):
            ids = spread(text.encode(body(read_text_file(path))), 2 * windows * tokens, tokens)
            cut = np.reshape(ids, (-1, tokens)).tolist()
            sides.append((cut[::2], cut[1::2]))
    (scripture, other_scripture), (austen, other_austen) = sides
    return [measured(contrast, HeldOut(austen, scripture, other_scripture), (SCRIPTURE, AUSTEN)),
            measured(contrast.flipped(), HeldOut(scripture, austen, other_austen), (AUSTEN, SCRIPTURE))]


if __name__ == "__main__":
    run_command(main)
