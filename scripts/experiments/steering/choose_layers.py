"""Which layers to steer, from training text: `python -m scripts.experiments.steering.choose_layers --data DIR`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.pipeline.steering.contrast import chosen_layers
from host.pipeline.steering.difference_of_means import difference_of_means
from models.command import CommandParser, run_command
from scripts.experiments.steering.evaluate_steering import DIRECTIONS, Trial
from scripts.experiments.steering.manner import AUSTEN, SCRIPTURE

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.steering.choose_layers", description="Steering layer by layer.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the five novels and kjv.txt")
    parser.add_argument("--model", default="demo", metavar="DIR", help="a converted model's folder, or demo (default)")
    parser.add_argument("--layers", nargs="+", default=["0", "1", "2", "3", "4", "5", "2,3", "1,2,3", "0,1,2,3,4,5"],
                        metavar="SET", help="sets of layers, numbers separated by commas")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.15, 0.3], help="default: 0.15 0.3")
    options = parser.parse_args(arguments)
    trial = Trial(options.data, options.model, prompts=16, tokens=32, windows=2, on_training=True)
    states = trial.states()
    names = [f"{what} to {target}" for target in DIRECTIONS for what in ("shift", "perplexity")]
    print(f"{'layers':>12} | strength | " + " | ".join(names))
    for layers in (chosen_layers(option, trial.model.config.layers) for option in options.layers):
        fitted = difference_of_means(states[SCRIPTURE], states[AUSTEN], layers)
        for strength in options.strengths:
            outcomes = [trial("steered", 0, fitted, strength, target) for target in DIRECTIONS]
            cells = (cell for o in outcomes for cell in (
                f"{o.shift:+.2f}", " ".join(f"{manner} {ratio:.2f}" for manner, ratio in o.perplexity.items())))
            print(f"{','.join(map(str, layers)):>12} | {strength:8} | " + " | ".join(cells), flush=True)


if __name__ == "__main__":
    run_command(main)
