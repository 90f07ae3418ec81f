"""A closed loop against constant pushes: `python -m scripts.experiments.steering.evaluate_lqr --data DIR`.

Fits LQR on training text and measures on held-out text, on the emulator: how near v·h behind the last layer comes to
its setpoint, against constant vectors along v of the same energy; what happens when the setpoint moves in the midst of
a text; and how well the Jacobians that the gains are made of foretell the exact model.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from host.pipeline.steering.contrast import Contrast
from host.pipeline.steering.lqr import LQR, passages_of
from host.pipeline.steering_bench.material import body
from host.pipeline.texts import spread
from host.text import Text
from models.checkpoint import Model, load_model
from models.command import CommandParser, run_command
from models.text_file import read_text_file
from scripts.experiments.steering.jacobian_alignment import Aligned, aligned
from scripts.experiments.steering.lqr_page import page
from scripts.experiments.steering.manner import AUSTEN, SCRIPTURE, read_manners
from scripts.experiments.steering.tracking import Track, follow, follow_switch, open_loop, setpoint
from scripts.marked_text import rewrite_marked

__all__ = ["MARKS", "main", "measure", "reaching"]

MARKS = ("<!-- closed loop: written by scripts.experiments.steering.evaluate_lqr --record -->",
         "<!-- closed loop: end -->")
_DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "steering.md"
DIRECTIONS = {SCRIPTURE: (AUSTEN, 1), AUSTEN: (SCRIPTURE, -1)}  # target: the text's manner, the sign
FITTED_TOKENS = 8192  # of each manner
SETPOINTS = (0.5, 1.0, 1.5)  # times the way from the centre to the wanted manner's mean
STEPS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # of a change, times the norm of the residual
VARIANTS = {"q_f = 100": {"q_f": 100.0}, "r = 100": {"r": 100.0}, "one-sided": {"short": 1}}
PROBED = 64  # tokens of a passage at whose last one Jacobians are held against the emulator
_BISECTIONS = 8


def measure(contrast: Contrast, held_out: Mapping[str, Sequence[int]], windows: int, tokens: int, averaged: int,
            probes: int, draws: int) -> dict[str, Any]:
    """All figures, ready for JSON. contrast: scripture against Austen; held_out: ids of either manner."""
    from models.train.initial import network_of
    from models.train.jacobians import jacobians, mean_jacobians

    model, layers = contrast.model, range(contrast.model.config.layers)
    slopes = mean_jacobians(model, passages_of(contrast, averaged))
    fitted = LQR.regulated(contrast, slopes, layers)
    texts = {manner: [list(part) for part in np.reshape(spread(ids, windows * tokens, tokens), (-1, tokens)).tolist()]
             for manner, ids in held_out.items()}
    variants = {name: LQR.regulated(contrast, slopes, layers, **changes).tensors for name, changes in VARIANTS.items()}
    tracked, switched = [], []
    for target, (other, sign) in DIRECTIONS.items():
        tracked += [_tracked(model, fitted.tensors, variants if factor == 1 else {}, target, sign, factor, texts[other])
                    for factor in SETPOINTS]
        switched.append(_switched(model, fitted.tensors, target, sign, texts[other]))
    passages = [text for manner in held_out for text in
                np.reshape(spread(held_out[manner], -(-probes // 2) * PROBED, PROBED), (-1, PROBED)).tolist()][:probes]
    network = network_of(model)
    found = aligned(model, passages, [jacobians(network, ids) for ids in passages], slopes, STEPS, draws)
    return {"closed": fitted.details["closed"], "tracked": tracked, "switched": switched,
            "windows": windows, "tokens": tokens, "passages": averaged, "probes": len(passages), "draws": draws,
            "aligned": {"steps": _means(found, "step"), "layers": _means([a for a in found if a.step == 0.1], "layer")}}


def _tracked(model: Model, tensors: Mapping[str, np.ndarray], variants: Mapping[str, Mapping[str, np.ndarray]],
             target: str, sign: int, factor: float, windows: Sequence[Sequence[int]]) -> dict[str, Any]:
    """LQR at a setpoint against no steering and constant vectors, on windows of the other manner."""
    moved = {"setpoints": tensors["setpoints"] * factor}
    loop, direction = LQR.load({**tensors, **moved}, sign), tensors["directions"][-1]
    goal, closed = setpoint(loop), follow(model, loop, direction, windows)
    even = np.ones(len(tensors["directions"]))

    def constant(weights: np.ndarray, energy: float) -> Track:
        return follow(model, open_loop(loop, weights, energy), direction, windows)

    best = reaching(lambda energy: constant(even, energy), goal, sign, closed.energy())
    compared = {"plain": follow(model, loop.with_strength(0), direction, windows), "LQR": closed,
                "constant, even": constant(even, closed.energy()),
                "constant, as LQR": constant(closed.additions, closed.energy()),
                "constant, reaching": best}
    for name, other in variants.items():
        compared[f"LQR, {name}"] = follow(model, LQR.load({**other, **moved}, sign), direction, windows)
    return {"target": target, "factor": factor, "setpoint": goal,
            "rows": [{"name": name, "error": track.error(goal), "mean": float(track.projections[:, 4:].mean()),
                      "energy": track.energy()} for name, track in compared.items()]}


def reaching(constant, goal: float, sign: int, energy: float) -> Track:
    """The constant vector whose v·h lies at the setpoint in the mean, by bisection of its energy from 0 to 16 times
    the loop's; `constant` gives the `Track` of an energy."""
    low, high = 0.0, 16 * energy
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        track = constant(middle)
        if sign * (track.projections[:, 4:].mean() - goal) < 0:
            low = middle
        else:
            high = middle
    return constant((low + high) / 2)


def _switched(model: Model, tensors: Mapping[str, np.ndarray], target: str, sign: int,
              windows: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Setpoints of the one manner, and from the middle of each window on of the other: v·h around the middle."""
    loops, direction = [LQR.load(tensors, strength) for strength in (-sign, sign)], tensors["directions"][-1]
    half = len(windows[0]) // 2
    closed = follow_switch(model, *loops, direction, windows, half)
    pushes = []
    for loop in loops:  # constant vectors of the energy that the loop takes for each setpoint
        alone = follow(model, loop, direction, windows)
        pushes.append(open_loop(loop, np.ones(len(tensors["directions"])), alone.energy()))
    pushed = follow_switch(model, pushes[0], pushes[1], direction, windows, half)
    spans = {"8 before": slice(half - 8, half), "1st": slice(half, half + 1), "2nd to 4th": slice(half + 1, half + 4),
             "5th to 16th": slice(half + 4, half + 16), "17th on": slice(half + 16, None)}
    return {"target": target, "setpoints": [setpoint(loop) for loop in loops],
            "rows": [{"span": name, "LQR": float(closed.projections[:, span].mean()),
                      "constant": float(pushed.projections[:, span].mean())} for name, span in spans.items()]}


def _means(found: Sequence[Aligned], key: str) -> list[dict[str, float]]:
    """Means over all that agree in `key`."""
    rows = []
    for value in sorted({getattr(a, key) for a in found}):
        same = [a for a in found if getattr(a, key) == value]
        rows.append({key: value, **{name: float(np.mean([getattr(a, name) for a in same]))
                                    for name in Aligned._fields[2:]}})
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.steering.evaluate_lqr", description="A closed loop against open ones.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, metavar="DIR", help="folder of the five novels and kjv.txt")
    source.add_argument("--report", type=Path, metavar="FILE", help="what --json printed, instead")
    parser.add_argument("--model", default="demo", metavar="DIR", help="a converted model's folder, or demo (default)")
    parser.add_argument("--windows", type=int, default=8, help="held-out windows of each manner (default: 8)")
    parser.add_argument("--tokens", type=int, default=128, help="tokens of each (default: 128)")
    parser.add_argument("--fitted", type=int, default=FITTED_TOKENS, metavar="N",
                        help=f"training tokens of each manner (default: {FITTED_TOKENS})")
    parser.add_argument("--passages", type=int, default=16, help="that Jacobians are averaged over (default: 16)")
    parser.add_argument("--probes", type=int, default=8, help="held-out passages for alignment (default: 8)")
    parser.add_argument("--draws", type=int, default=4, help="random changes of each size and layer (default: 4)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--record", action="store_true", help="write the tables into docs/steering.md")
    options = parser.parse_args(arguments)
    found = json.loads(read_text_file(options.report)) if options.report else _measured(options)
    if options.record:
        rewrite_marked(_DOCUMENT, *MARKS, lambda _: page(found))
    print(json.dumps(found) if options.json else page(found))


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    model = load_model(options.model)
    text = Text(model.folder)
    training, held_out = read_manners(options.data)
    sides = [spread(text.encode(training[manner]), options.fitted, model.config.context)
             for manner in (SCRIPTURE, AUSTEN)]
    return measure(Contrast(model, sides[0], sides[1], (SCRIPTURE, AUSTEN)),
                   {manner: text.encode(body(content)) for manner, content in held_out.items()},
                   options.windows, options.tokens, options.passages, options.probes, options.draws)


if __name__ == "__main__":
    run_command(main)
