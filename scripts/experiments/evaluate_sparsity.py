"""TEAL against random masks of equal realised sparsity: `python -m scripts.experiments.evaluate_sparsity --data DIR`.

Thresholds are calibrated on Emma, perplexity is that of the start of Northanger Abbey, both as the emulator
executes them; realised sparsity is the device's own count of zero inputs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.placement import place
from host.pipeline.site import LINEAR_INPUTS, Point, channels_of
from host.pipeline.sparsity.teal import Teal, fit_thresholds
from host.runtime import Session
from host.scoring import total_nll
from host.text import Text
from models.checkpoint import Model, load_model
from models.command import CommandParser, run_command
from models.dequantise import float_model
from models.golden.tap import GAIN_ONE, Tap, neutral_tap
from models.machine.build import CPU
from models.text_file import read_text_file
from scripts.marked_text import rewrite_marked

__all__ = ["main", "random_masks", "score", "table"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sparsity.md"
_START, _END = "<!-- teal: written by scripts.experiments.evaluate_sparsity --record -->", "<!-- teal: end -->"
CALIBRATION_TOKENS = 4096  # as the default of host.pipeline fit


def random_masks(model: Model, share: float, seed: int) -> dict[Point, Tap]:
    """Taps that silence `share` of the channels of every linear input, drawn once, whatever they hold."""
    draw = np.random.default_rng(seed)
    taps = {}
    for layer in range(model.config.layers):
        for site in LINEAR_INPUTS:
            channels = channels_of(site, model.config)
            silent = draw.permutation(channels) < round(share * channels)
            taps[Point(layer, site)] = replace(neutral_tap(channels),
                                               gain=np.where(silent, 0, GAIN_ONE).astype(np.int16))
    return taps


def score(model: Model, taps: Mapping[Point, Tap], ids: Sequence[int]) -> tuple[float, float]:
    """Perplexity of `ids` and the share of linear inputs that were zero."""
    session = Session(model, EmulatorDevice(CPU), taps=taps)
    return math.exp(total_nll(session, ids) / (len(ids) - 1)), session.counters.sparsity


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.evaluate_sparsity", description="TEAL against random masks.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the novels")
    parser.add_argument("--model", default="demo", metavar="DIR", help="a converted model's folder, or demo (default)")
    parser.add_argument("--targets", type=float, nargs="+", default=[0.25, 0.4, 0.5, 0.6], metavar="S",
                        help="sparsities to calibrate for (default: 0.25 0.4 0.5 0.6)")
    parser.add_argument("--characters", type=int, default=30000, help="of Northanger Abbey to score (default: 30000)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("--record", action="store_true", help="write the table into docs/sparsity.md")
    options = parser.parse_args(arguments)
    model = load_model(options.model)
    text = Text(model.folder)
    ids = text.encode(read_text_file(options.data / "austen_northanger_abbey.txt")[:options.characters])
    calibration = np.array(text.encode(read_text_file(options.data / "austen_emma.txt"))[:CALIBRATION_TOKENS])
    plain, natural = score(model, {}, ids)
    rows = [{"method": "plain", "target": 0.0, "sparsity": natural, "perplexity": plain, "ratio": 1.0}]
    for target in options.targets:
        teal = Teal({"thresholds": fit_thresholds(float_model(model), calibration, target)})
        perplexity, realised = score(model, place([teal], model).taps, ids)
        rows.append({"method": "teal", "target": target, "sparsity": realised, "perplexity": perplexity,
                     "ratio": perplexity / plain})
        share = max(0.0, (realised - natural) / (1 - natural))  # of channels: part of them was zero already
        perplexity, realised = score(model, random_masks(model, share, seed=0), ids)
        rows.append({"method": "random", "target": target, "sparsity": realised, "perplexity": perplexity,
                     "ratio": perplexity / plain})
        if not options.json:
            _print(rows[-2:] if len(rows) > 3 else rows)
    if options.json:
        print(json.dumps({"tokens": len(ids), "rows": rows}))
    if options.record:
        rewrite_marked(_DOCUMENT, _START, _END, lambda _: table(rows))


def table(rows: Sequence[Mapping[str, float | str]]) -> str:
    """What was measured, as the page shows it."""
    lines = ["| | target | realised | perplexity | over plain |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        target = f"{row['target']:g}" if row["target"] else "–"
        lines.append(f"| {row['method']} | {target} | {row['sparsity']:.3f} | {row['perplexity']:.2f} "
                     f"| × {row['ratio']:.3f} |")
    return "\n".join(lines)


def _print(rows: Sequence[Mapping[str, float | str]]) -> None:
    for row in rows:
        print(" | ".join(f"{name} {value:.3f}" if isinstance(value, float) else f"{value:>6}"
                         for name, value in row.items()), flush=True)


if __name__ == "__main__":
    run_command(main)
