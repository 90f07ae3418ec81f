"""Does steering do what it says? `python -m scripts.experiments.steering.evaluate_steering --data DIR [-o FOLDER]`.

Fits the vector that leads from Jane Austen's manner to the King James Bible's on training text, steers held-out
prompts both ways over a sweep of strengths, and lets a classifier of manner, fitted on training text too, judge
the continuations; random and label-shuffled vectors of equal norm get the same treatment. All on the emulator.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.observing import residuals
from host.pipeline.steering.contrast import chosen_layers, middle_third
from host.pipeline.steering.difference_of_means import difference_of_means
from host.pipeline.texts import spread
from host.text import Text
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.machine.build import CPU
from models.output import check_output_file
from scripts.experiments.steering.manner import AUSTEN, SCRIPTURE, MannerClassifier, body, read_manners, sentences
from scripts.experiments.steering.plot_steering import plot
from scripts.experiments.steering.steering_page import record
from scripts.experiments.steering.steering_trial import continuations, control_vectors, perplexity

__all__ = ["Outcome", "Trial", "main", "summary"]

PROMPT_TOKENS = 12  # the start-of-text token among them
FITTED_TOKENS = 8192  # of each manner, as the default of host.pipeline fit
DIRECTIONS = {SCRIPTURE: (AUSTEN, 1), AUSTEN: (SCRIPTURE, -1)}  # target: the prompts' manner, the vector's sign


class Outcome(NamedTuple):
    """One vector at one strength, steered toward one manner.

    shift: mean change of the continuations' log-odds per word toward `target` against the plain model, nats;
    error: its standard error over the prompts; success: share of continuations judged to be of the target's
    manner; perplexity: of held-out text of each manner, over the plain model's.
    """

    kind: str
    vector: int
    strength: float
    target: str
    shift: float
    error: float
    success: float
    perplexity: dict[str, float]
    texts: list[str]


class Trial:
    """The model, the judge, prompts and windows of text, and what the plain model makes of them.

    The text is held out; `on_training` takes training text instead, to choose settings on.
    """

    def __init__(self, data: Path, model: str, prompts: int, tokens: int, windows: int, *, on_training: bool = False):
        self.model, self.tokens = load_model(model), tokens
        self.text = Text(self.model.folder)
        self.training, self.held_out = read_manners(data)
        texts = {m: body(text) for m, text in (self.training if on_training else self.held_out).items()}
        self.judge = MannerClassifier(self.training[AUSTEN], self.training[SCRIPTURE])
        self.prompts = {manner: np.array([(self.text.before + self.text.encode(passage))[:PROMPT_TOKENS]
                                          for passage in sentences(text, prompts)])
                        for manner, text in texts.items()}
        size = self.model.config.context // 2
        ids = {manner: self.text.encode(text) for manner, text in texts.items()}
        self.windows = {manner: np.reshape(spread(found, windows * size, size), (windows, size))
                        for manner, found in ids.items()}
        self.plain_texts = {target: self._write(None, target) for target in DIRECTIONS}
        self.plain_scores = {target: self._scores(texts) for target, texts in self.plain_texts.items()}
        self.plain_perplexity = {m: perplexity(self.model, None, w) for m, w in self.windows.items()}

    def states(self) -> dict[str, np.ndarray]:
        """Residuals of training text of each manner, [layers, tokens, hidden]."""
        return {manner: residuals(self.model, EmulatorDevice(CPU),
                                  spread(self.text.encode(self.training[manner]), FITTED_TOKENS,
                                         self.model.config.context), description=manner)
                for manner in (SCRIPTURE, AUSTEN)}

    def __call__(self, kind: str, index: int, vectors: np.ndarray, strength: float, target: str) -> Outcome:
        """The outcome of one condition."""
        sign = DIRECTIONS[target][1]
        added = sign * strength * vectors
        texts = self._write(added, target)
        scores = self._scores(texts)
        shifts = sign * (scores - self.plain_scores[target])
        ratios = {m: perplexity(self.model, added, w) / self.plain_perplexity[m] for m, w in self.windows.items()}
        return Outcome(kind, index, strength, target, float(shifts.mean()),
                       float(shifts.std(ddof=1) / len(shifts) ** 0.5), float(np.mean(sign * scores > 0)), ratios, texts)

    def _write(self, vectors: np.ndarray | None, target: str) -> list[str]:
        prompts = self.prompts[DIRECTIONS[target][0]]
        written = continuations(self.model, vectors, prompts, self.tokens)
        return [self.text.decode([*prompt, *ids])[len(self.text.decode(prompt)):]
                for prompt, ids in zip(prompts.tolist(), written, strict=True)]

    def _scores(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([self.judge.log_odds_per_word(text) for text in texts])


def summary(outcomes: Sequence[Outcome]) -> list[dict[str, float | str]]:
    """For each target and strength: the steered shift, the largest control's (either sign), ratio and cost."""
    rows = []
    for target in DIRECTIONS:
        for strength in sorted({o.strength for o in outcomes}):
            here = [o for o in outcomes if (o.target, o.strength) == (target, strength)]
            steered = next(o for o in here if o.kind == "steered")
            largest = {kind: max(abs(o.shift) for o in here if o.kind == kind) for kind in ("random", "shuffled")}
            rows.append({"target": target, "strength": strength, "shift": steered.shift, "error": steered.error,
                         **largest, "ratio": steered.shift / max(largest.values()), "success": steered.success,
                         **{f"perplexity_{manner}": value for manner, value in steered.perplexity.items()}})
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("scripts.experiments.steering.evaluate_steering",
                           description="Steering against random and label-shuffled vectors.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the five novels and kjv.txt")
    parser.add_argument("--model", default="demo", metavar="DIR", help="a converted model's folder, or demo (default)")
    parser.add_argument("--layers", metavar="2,3", help="layers to steer (default: the middle third)")
    parser.add_argument("--strengths", default="0.1,0.2,0.3,0.5", metavar="LIST", help="default: 0.1,0.2,0.3,0.5")
    parser.add_argument("--controls", type=int, default=3, help="random and shuffled vectors of each kind (default: 3)")
    parser.add_argument("--prompts", type=int, default=32, help="held-out prompts of each manner (default: 32)")
    parser.add_argument("-n", type=int, default=40, metavar="N", help="new tokens (default: 40)")
    parser.add_argument("--windows", type=int, default=4,
                        help="held-out windows of half a context that perplexity is measured on (default: 4)")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw shift and perplexity against strength")
    parser.add_argument("--json", action="store_true", help="print one JSON object, continuations included")
    parser.add_argument("--record", action="store_true", help="write table and samples into docs/steering.md")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = _parser().parse_args(arguments)
    started = time.process_time()
    try:
        strengths = [float(part) for part in options.strengths.split(",")]
    except ValueError:
        raise OptionError(f"--strengths takes numbers separated by commas, got {options.strengths!r}") from None
    if options.plot:
        check_output_file(options.plot)
    trial = Trial(options.data, options.model, options.prompts, options.n, options.windows)
    count = trial.model.config.layers
    layers = chosen_layers(options.layers, count) if options.layers else middle_third(count)
    states = trial.states()
    fitted = difference_of_means(states[SCRIPTURE], states[AUSTEN], layers)
    vectors = [("steered", 0, fitted)]
    for index in range(options.controls):
        vectors += [(kind, index, vector) for kind, vector in control_vectors(states, fitted, index).items()]
    outcomes = []
    for strength in strengths:
        for kind, index, vector in vectors:
            for target in DIRECTIONS:
                outcomes.append(trial(kind, index, vector, strength, target))
                _progress(outcomes[-1], time.process_time() - started)
    rows = summary(outcomes)
    if options.plot:
        plot([o._asdict() for o in outcomes], options.plot)
    result = {"layers": layers, "norms": np.linalg.norm(fitted, axis=1)[layers].tolist(),
              "cosines": {f"{kind} {i}": float((v * fitted).sum() / (fitted**2).sum()) for kind, i, v in vectors[1:]},
              "classifier_accuracy": trial.judge.accuracy(trial.held_out[AUSTEN], trial.held_out[SCRIPTURE]),
              "plain_perplexity": trial.plain_perplexity, "summary": rows,
              "plain_log_odds": {target: float(s.mean()) for target, s in trial.plain_scores.items()},
              "plain_success": {target: float(np.mean(DIRECTIONS[target][1] * s > 0))
                                for target, s in trial.plain_scores.items()},
              "cpu_s": time.process_time() - started}
    if options.json or options.record:
        texts = {"prompts": {t: [trial.text.decode(p) for p in trial.prompts[DIRECTIONS[t][0]]] for t in DIRECTIONS},
                 "plain": trial.plain_texts}
        whole = result | texts | {"outcomes": [o._asdict() for o in outcomes]}
        if options.record:
            record(whole)
        if options.json:
            print(json.dumps(whole))
            return
    for name in ("layers", "norms", "cosines", "classifier_accuracy", "plain_perplexity", "plain_log_odds",
                 "plain_success", "cpu_s"):
        print(f"{name}: {result[name]}")
    print("\n".join(["", " | ".join(f"{name:>10}" for name in rows[0])] + [
        " | ".join(f"{value:10.2f}" if isinstance(value, float) else f"{value:>10}" for value in row.values())
        for row in rows]))


def _progress(outcome: Outcome, seconds: float) -> None:
    costs = " ".join(f"{manner} {ratio:.2f}" for manner, ratio in outcome.perplexity.items())
    print(f"{seconds:5.0f} s  {outcome.strength:4} {outcome.kind:8} {outcome.vector} to {outcome.target:9} "
          f"shift {outcome.shift:+.2f} ± {outcome.error:.2f}  perplexity x {costs}", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
