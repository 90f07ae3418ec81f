"""Whether a steered model comes back to its own manner while it is still steered.

Source: "Endogenous Resistance to Activation Steering in Language Models", which finds it in a large model and hardly in
small ones. There a judge rates attempts at an answer; here one hears the manner of each window of a continuation.

A continuation that is moved early and not late may have resisted, or merely wandered. So it is held against the plain
model, a random direction, steering that stops (what coming back looks like), and against itself backwards: where
nothing resists, as many go from unmoved to moved as return.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from host.pipeline.audit.audit import Audit, add_model, at_least
from host.pipeline.audit.interval import Share, sign_test
from host.pipeline.loading import load_stages
from host.pipeline.stage import Stage
from host.pipeline.steering.steering_stage import SteeringStage
from host.pipeline.steering_bench.judge import words_of
from host.pipeline.steering_bench.lockstep import Lockstep, sampled
from host.pipeline.steering_bench.material import PROMPT_TOKENS, Material, body, read_material
from host.pipeline.steering_bench.text_windows import text_windows
from host.text import Text
from models.checkpoint import Model, load_model
from models.errors import OptionError
from models.markdown import markdown_table
from models.text_file import read_text_file

__all__ = ["Course", "Recovery"]

_FITTED = 1  # tokens to fit on and windows of perplexity: `read_material` brings both, and none is used here
_UNLIKELY = 0.05


class Course(NamedTuple):
    """Continuations under one condition, strength 0 the plain model's.

    moved: those that the judge gives to the steered manner in their first window. back: of these, those that it does
    not in their last. strayed: of the others, those that it does in their last. scores, errors: log-odds per word
    toward the steered manner, a window each, mean and standard error.
    """

    strength: float
    what: str
    moved: Share
    back: Share
    strayed: Share
    scores: list[float]
    errors: list[float]

    @property
    def chance(self) -> float:
        """That returns and strayings differ so much where either is as likely."""
        return sign_test(self.back.part, self.strayed.part)


class Recovery(Audit):
    """Rates of coming back, with controls."""

    name, summary = "recovery", "whether a steered model comes back by itself"
    description = ("Whether continuations that steering moved come back to the model's own manner while it still acts "
                   "(endogenous steering resistance), beside the plain model, a random direction of equal norms and "
                   "steering that stops after the first window; on the emulator.")

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Stage, strengths, texts, sizes."""
        add_model(parser)
        parser.add_argument("--stage", required=True, metavar="ARTEFACT", help="a steering method, fitted")
        parser.add_argument("--strengths", required=True, metavar="S,...", help="at which it acts, above 0")
        for name, what in (("toward", "text in the manner that it steers to, for the judge"),
                           ("away", "text in the other manner, for the judge"),
                           ("held-out-toward", "text in the wanted manner that nothing saw"),
                           ("held-out-away", "text in the other manner that nothing saw; prompts are of it")):
            parser.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", help=what)
        parser.add_argument("--prompts", type=int, default=64, help="(default: %(default)s)")
        parser.add_argument("--new-tokens", type=int, default=384, help="after each (default: %(default)s)")
        parser.add_argument("--window", type=int, default=48, help="tokens that are judged at once (default: "
                            "%(default)s)")
        parser.add_argument("--draws", type=int, default=2, help="random directions (default: %(default)s)")

    @staticmethod
    def answer(options: argparse.Namespace) -> dict[str, Any]:
        """A course for each strength and control."""
        at_least(options, prompts=2, window=1, draws=1, new_tokens=2 * options.window)
        model = load_model(options.model)
        if PROMPT_TOKENS + options.new_tokens > model.config.context:
            raise OptionError(f"--new-tokens must be at most {model.config.context - PROMPT_TOKENS}: prompts of "
                              f"{PROMPT_TOKENS} and they share the context")
        strengths = _strengths(options.strengths)
        stage = load_stages(model, [options.stage])[0].stage
        if not isinstance(stage, SteeringStage):
            raise OptionError(f"{options.stage} steers nothing: {stage.kind} by {stage.method}")
        material = read_material(model, options.toward, options.away, (options.held_out_toward, options.held_out_away),
                                 prompts=options.prompts, windows=_FITTED, tokens=_FITTED)
        with tqdm(total=1 + len(strengths) * (2 + options.draws), desc="continuing", unit="run", file=sys.stderr,
                  disable=not sys.stderr.isatty()) as bar:
            hear = _Hearing(model, material, options.new_tokens, options.window, bar.update)
            courses = [_course(0, "no steering", hear([]))]
            for strength in strengths:
                there = stage.with_strength(strength)
                random = [stage.randomised(draw).with_strength(strength) for draw in range(options.draws)]
                courses += [_course(strength, "steered", hear([there])),
                            _course(strength, "stops after the first window", hear([there], stops=True)),
                            _course(strength, "random direction", np.concatenate([hear([one]) for one in random]))]
        size = max(1, round(float(np.mean(hear.words))))
        accuracy = material.judge.accuracy(*(body(read_text_file(path)) for path in
                                             (options.held_out_toward, options.held_out_away)), words=size)
        return {"method": stage.method, "prompts": options.prompts, "new_tokens": options.new_tokens,
                "window": options.window, "words": size, "draws": options.draws, "accuracy": list(accuracy),
                "courses": [one._asdict() | {"chance": one.chance} for one in courses]}

    @staticmethod
    def page(found: dict[str, Any]) -> str:
        """The rates, the course of the log-odds, what follows."""
        courses = [{**one, **{name: Share(*one[name]) for name in ("moved", "back", "strayed")}}
                   for one in found["courses"]]
        rates = [[_strength(one), one["what"], one["moved"].shown(), one["back"].shown(), one["strayed"].shown(),
                  f"{one['chance']:.2g}"] for one in courses]
        windows = len(courses[0]["scores"])
        means = [[_strength(one), one["what"], *(f"{mean:+.2f} ± {error:.2f}" for mean, error in
                                                 zip(one["scores"], one["errors"], strict=True))] for one in courses]
        accuracy = " and ".join(f"{share:.1%}" for share in found["accuracy"])
        verdicts = "\n".join(f"- {_verdict(one)}" for one in courses if one["what"] == "steered")
        return "\n\n".join([
            f"`{found['method']}`, {found['prompts']} held-out prompts, {found['new_tokens']} new tokens in windows of "
            f"{found['window']}, about {found['words']} words, of which the judge gives {accuracy} of held-out text to "
            f"its own manner. Random directions: {found['draws']}. Shares with their 95 % intervals (Wilson).",
            markdown_table(["strength", "", "moved in the first window", "back in the last, of these",
                            "moved in the last, of the others", "sign test, p"], rates),
            "Log-odds per word toward the steered manner, by window:",
            markdown_table(["strength", "", *(str(window + 1) for window in range(windows))], means),
            verdicts])


class _Hearing:
    """Prompts continued under stages, and the judge's log-odds per word of each window: float [continuations, windows].

    Those that end before their last window are left out. words: how many each window of a continuation had, so far.
    """

    def __init__(self, model: Model, material: Material, tokens: int, window: int, on_run: Callable[[], object]):
        self._ends, self._judge, self._prompts = model.config.eos_ids, material.judge, material.away.prompts
        self._tokens, self._window, self._on_run = tokens, window, on_run
        self._text, self._lockstep = Text(model.folder), Lockstep(model)
        self.words: list[float] = []

    def __call__(self, stages: Sequence[Stage], *, stops: bool = False) -> np.ndarray:
        """stops: the stages act until the first window is written."""
        def before(token: int) -> None:
            if stops and token == self._window - 1:  # the first window's last token, on which the second begins
                self._lockstep.change([])

        self._lockstep.begin(stages)
        ids = sampled(self._lockstep, self._prompts, self._tokens, before=before)
        parts = [text_windows(self._text, prompt, written, self._window, self._ends)
                 for prompt, written in zip(self._prompts.tolist(), ids.tolist(), strict=True)]
        whole = [part for part in parts if len(part) == self._tokens // self._window]
        if not whole:
            raise OptionError("every continuation ends before its last window: give fewer --new-tokens")
        self.words += [len(words_of(window)) for part in whole for window in part]
        self._on_run()
        return np.array([[self._judge.log_odds_per_word(window) for window in part] for part in whole])


def _course(strength: float, what: str, scores: np.ndarray) -> Course:
    """From scores [continuations, windows]."""
    first, last = scores[:, 0] > 0, scores[:, -1] > 0
    moved, returned, strayed = int(first.sum()), int((first & ~last).sum()), int((~first & last).sum())
    errors = scores.std(axis=0, ddof=min(1, len(scores) - 1)) / math.sqrt(len(scores))
    return Course(strength, what, Share(moved, len(scores)), Share(returned, moved),
                  Share(strayed, len(scores) - moved), scores.mean(axis=0).tolist(), errors.tolist())


def _strengths(option: str) -> list[float]:
    """Of `--strengths`."""
    try:
        strengths = [float(part) for part in option.split(",")]
    except ValueError:
        strengths = []
    if not strengths or not all(0 < strength < math.inf for strength in strengths):
        raise OptionError(f"--strengths takes numbers above 0 with commas between, got {option!r}")
    return strengths


def _strength(one: dict[str, Any]) -> str:
    return f"{one['strength']:g}" if one["strength"] else "–"


def _verdict(one: dict[str, Any]) -> str:
    back, strayed = one["back"].part, one["strayed"].part
    counts = f"Strength {one['strength']:g}: {back} came back, {strayed} went the other way; "
    if one["chance"] >= _UNLIKELY:
        return f"{counts}no more than wandering, a null."
    return counts + ("more came back than wandering explains." if back > strayed else
                     "the opposite of resistance: the push gathers.")
