"""Norms and activation functions trained beside each other: `python -m scripts.experiments.compare_variants --data DIR
-o DIR --record`.

Each is trained with each seed for the same steps on the same windows, seed by seed, and scored on the start of a novel
that none saw, by the exact emulator with the stage that the model needs. What is finished in the folder is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median, stdev
from typing import NamedTuple

import host.pipeline.__main__ as pipeline
from host.devices.emulator import EmulatorDevice
from host.pipeline.loading import load_stages
from host.pipeline.measuring import measure
from host.pipeline.placement import host_steps, place
from host.pipeline.site import Site, points_of
from host.pipeline.stage import Stage
from host.pipeline.texts import text_ids
from host.runtime import Session
from models.checkpoint import Model, load_model
from models.command import CommandParser, run_command
from models.config import HOST_ACTIVATIONS, NORMS
from models.convert import convert
from models.errors import OptionError
from models.machine.build import CPU
from models.markdown import markdown_table
from models.output import check_output_folder
from models.text_file import read_text_file
from models.train.__main__ import main as train
from scripts.experiments.measure_stops import decode_rate
from scripts.marked_text import rewrite_marked

__all__ = ["SHAPE", "VARIANTS", "Run", "activation_table", "main", "norm_table"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "normalisation.md"
_WRITER = "written by scripts.experiments.compare_variants --record"

SHAPE = {"vocab": 1024, "hidden": 128, "ffn": 384, "layers": 2, "heads": 2, "kv-heads": 1, "context": 128}
TEXTS = ("austen_emma", "austen_pride_and_prejudice")
HELD_OUT = "austen_northanger_abbey"

BASE = "relu2"
VARIANTS = {BASE: [], "seednorm": ["--norm", "seednorm"],
            **{name: ["--activation", name] for name in ("spark", "silu", "ash", "crrelu", "x-cos")}}
"""Options of models.train; BASE has RMSNorm and ReLU²."""

_PROMPT, _DECODED, _ROUNDS = 16, 32, 9


class Run(NamedTuple):
    """loss: nats a token. zeros: share of int8 zeros at `down`."""

    variant: str
    seed: int
    loss: float
    zeros: float


class Cost(NamedTuple):
    """cuts: of a token. speed: of decoding, in that of BASE; the median of rounds."""

    cuts: int
    speed: float


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.compare_variants",
                           description="Norms and activation functions, trained beside each other.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the texts")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="for all models; kept")
    parser.add_argument("--steps", type=int, default=250, help="of each training (default: 250)")
    parser.add_argument("--batch", type=int, default=4, help="windows a step (default: 4)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="S", help="(default: 0 1 2)")
    parser.add_argument("--scored", type=int, default=2048, metavar="N", help="tokens of the novel (default: 2048)")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch (default: 1)")
    parser.add_argument("--record", action="store_true", help="write the tables into docs/normalisation.md")
    options = parser.parse_args(arguments)
    if len(set(options.seeds)) < 2:
        raise OptionError("a spread needs at least two seeds")
    check_output_folder(options.output)
    runs = [_run(options, variant, seed) for seed in options.seeds for variant in VARIANTS]
    costs = _costs(options.output, options.seeds[0])
    how = _how(options)
    for mark, table in (("norms", norm_table(runs, costs)), ("activations", activation_table(runs, costs))):
        text = f"{how}\n\n{table}"
        print(text, end="\n\n")
        if options.record:
            rewrite_marked(_DOCUMENT, f"<!-- {mark}: {_WRITER} -->", f"<!-- {mark}: end -->", lambda _, t=text: t)


def _run(options: argparse.Namespace, variant: str, seed: int) -> Run:
    """A training, its conversion, its score; what of it is finished is read."""
    folder = options.output / f"{variant}-{seed}"
    score = folder / "score.json"
    how = {"steps": options.steps, "batch": options.batch, "scored": options.scored, **SHAPE}
    if score.exists():
        found = json.loads(score.read_text(encoding="utf-8"))
        if found["how"] != how:
            raise OptionError(f"{folder} was made with other options: give another folder")
        return Run(**found["run"])
    trained, converted, started = folder / "trained", folder / "model", time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{variant}, seed {seed}", file=sys.stderr, flush=True)
    texts = [options.data / f"{name}.txt" for name in TEXTS]
    shape = [part for name, value in SHAPE.items() for part in (f"--{name}", value)]
    resumed = ["--resume"] if (trained / "checkpoint.pt").exists() else ["--tokenizer", _tokenizer(options)]
    command = ["-o", trained, "--text", *texts, *shape, "--steps", options.steps,
               "--batch", options.batch, "--seed", seed, "--threads", options.threads, "--dtype", "float32",
               "--save-every", 100, *VARIANTS[variant], *resumed]
    train([str(part) for part in command])
    convert(trained, converted)
    model = load_model(converted)
    for kind, method in _needed(model):
        pipeline.main(["fit", "--kind", kind, "--method", method, "--checkpoint", str(trained), "--model",
                       str(converted), "-o", str(folder / "stage.safetensors")])
    ids = text_ids(model, options.data / f"{HELD_OUT}.txt")[:options.scored]
    measured = measure(model, _stages(folder, model), ids, points=points_of(Site.DOWN, model.config))
    run = Run(variant, seed, measured.nll / (len(ids) - 1), measured.zeros)
    score.write_text(json.dumps({"run": run._asdict(), "how": how, "seconds": time.monotonic() - started}) + "\n",
                     encoding="utf-8")
    return run


def _tokenizer(options: argparse.Namespace) -> Path:
    """That of all runs, made of the texts."""
    from models.train.tokenizer import train_tokenizer  # late: it needs tokenizers

    path = options.output / "tokenizer.json"
    if not path.exists():
        texts = [read_text_file(options.data / f"{name}.txt") for name in TEXTS]
        train_tokenizer(texts, SHAPE["vocab"]).save(str(path))
    return path


def _needed(model: Model) -> list[tuple[str, str]]:
    """Kind and method of the stage without which no device runs a model."""
    kinds = (("normalisation", model.config.norm, NORMS[1:]), ("activation", model.config.activation, HOST_ACTIVATIONS))
    return [(kind, method) for kind, method, hosted in kinds if method in hosted]


def _stages(folder: Path, model: Model) -> list[Stage]:
    paths = [str(path) for path in folder.glob("stage.safetensors")]
    return [stage for _, stage in load_stages(model, paths)]


def _costs(output: Path, seed: int) -> dict[str, Cost]:
    """The cuts of each variant and how fast it decodes, all in turn in one process."""
    sessions, cuts = {}, {}
    for variant in VARIANTS:
        folder = output / f"{variant}-{seed}"
        model = load_model(folder / "model")
        stages = _stages(folder, model)
        placement = place(stages, model)
        cuts[variant] = placement.cuts([point for stage in stages for point in stage.points(model)])
        sessions[variant] = Session(model, EmulatorDevice(CPU), taps=placement.taps,
                                    host_steps=host_steps(placement, model))
    decoded = min(_DECODED, min(session.context for session in sessions.values()) - _PROMPT)
    rates: dict[str, list[float]] = {variant: [] for variant in sessions}
    for _ in range(1 + _ROUNDS):
        for variant, session in sessions.items():
            rates[variant].append(decode_rate(session, _PROMPT, decoded))
    return {variant: Cost(cuts[variant], median(mine / base for mine, base in
                                                zip(found[1:], rates[BASE][1:], strict=True)))
            for variant, found in rates.items()}


def _how(options: argparse.Namespace) -> str:
    shape = ", ".join(f"{name.replace('kv-heads', 'key-value heads')} {value}" for name, value in SHAPE.items())
    return (f"Shape: {shape}. {options.steps} steps of {options.batch} windows of two novels, seeds "
            f"{', '.join(map(str, options.seeds))}. Loss: nats a token of the first {options.scored:,} tokens of "
            "*Northanger Abbey*, mean and deviation over seeds; the difference is paired by seed, with its standard "
            "error. Speed: of decoding on the emulator, measured in turn.")


def _figures(runs: Sequence[Run], variant: str) -> tuple[str, str]:
    """Loss and its difference to BASE."""
    losses, base = ([run.loss for run in runs if run.variant == name] for name in (variant, BASE))
    cell = f"{mean(losses):.3f} ± {stdev(losses):.3f}"
    if variant == BASE:
        return cell, "–"
    apart = [mine - other for mine, other in zip(losses, base, strict=True)]
    return cell, f"{mean(apart):+.3f} ± {stdev(apart) / len(apart)**0.5:.3f}"


def norm_table(runs: Sequence[Run], costs: Mapping[str, Cost]) -> str:
    """Markdown: the two norms, both with ReLU²."""
    rows = []
    for name, variant in (("RMSNorm", BASE), ("SeeDNorm", "seednorm")):
        cost = costs[variant]
        rows.append([name, *_figures(runs, variant), str(cost.cuts), f"{cost.speed:.2f}"])
    return markdown_table(["norm", "loss", "beside RMSNorm", "cuts a token", "speed"], rows)


def activation_table(runs: Sequence[Run], costs: Mapping[str, Cost]) -> str:
    """Markdown: the activation functions, all with RMSNorm."""
    rows = []
    for variant in VARIANTS:
        if variant == "seednorm":
            continue
        zeros, cost = mean(run.zeros for run in runs if run.variant == variant), costs[variant]
        rows.append([f"`{variant}`", *_figures(runs, variant), f"{zeros:.0%}", str(cost.cuts), f"{cost.speed:.2f}"])
    return markdown_table(["activation", "loss", "beside `relu2`", "int8 zeros at `down`", "cuts a token", "speed"],
                          rows)


if __name__ == "__main__":
    run_command(main)
