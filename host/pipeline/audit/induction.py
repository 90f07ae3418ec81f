"""Induction heads: which heads look and copy as such, and whether the model needs them for it.

Sources: "What needs to go right for an induction head?"; "Induction Signatures Are Not Enough". Attention weights are
made again from the device's own integers (`host.pipeline.heads.attention_weights`).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from host.devices.emulator import EmulatorDevice
from host.pipeline.audit.audit import Audit, add_model_and_text, at_least
from host.pipeline.heads.ablation import Ablated, all_heads, matched_draws
from host.pipeline.heads.attention_weights import AttentionReader
from host.pipeline.heads.induction_scores import Looks, copying, looks
from host.pipeline.heads.load_bearing import Estimate, Sequences, Trial, correlation, estimate
from host.pipeline.heads.repeats import Repeated, repeated_passages, repeated_sequences
from host.pipeline.observing import observe
from host.pipeline.site import Site, points_of
from host.pipeline.texts import spread, text_ids
from models.checkpoint import Model, load_model
from models.dequantise import float_model
from models.errors import OptionError
from models.float_twin import float_logits
from models.formats.source import FloatModel
from models.machine.build import CPU
from models.markdown import markdown_table

__all__ = ["Induction", "examine"]

_SHOWN = 8  # heads of the table
_WINDOW = 64  # tokens of a window of text, if the context has as many


class Induction(Audit):
    """Which heads do induction, and what is lost without them."""

    name, summary = "induction", "induction heads: signature, and function by ablation"
    description = ("Heads that look behind the earlier occurrence of a token and copy what stands there, on random "
                   "sequences that come twice; then how much less the second half is worth without the highest-scoring "
                   "ones than without matched random heads, beside ordinary text. All losses on the emulator.")

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Text, sequences, heads, draws."""
        add_model_and_text(parser, 2048)
        for name, default, text in (("sequences", 24, "repeated sequences"),
                                    ("period", 32, "tokens of the longest one's half; the shortest has half of them"),
                                    ("heads", 2, "highest-scoring heads that are taken out together"),
                                    ("alone", 24, "highest-scoring heads that are taken out one by one"),
                                    ("draws", 8, "draws of matched random heads"),
                                    ("seed", 0, "of sequences and draws")):
            parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} (default: %(default)s)")
        parser.add_argument("--ablation", choices=("mean", "zero"), default="mean",
                            help="what stands in a head's place (default: its mean over as much text again)")

    @staticmethod
    def answer(options: argparse.Namespace) -> dict[str, Any]:
        """Scores of the heads, losses without them."""
        at_least(options, tokens=2, sequences=2, period=4, heads=1, alone=0, draws=1, seed=0)
        model = load_model(options.model)
        window = min(model.config.context, max(_WINDOW, options.period))
        if 2 * options.period > model.config.context:
            raise OptionError(f"--period {options.period} twice is more than the context of {model.config.context}")
        if 2 * options.heads > (count := len(all_heads(model.config))):
            raise OptionError(f"--heads must be at most half of the model's {count}, got {options.heads}")
        ids = spread(text_ids(model, options.text), 2 * options.tokens, window)
        windows = [list(ids[start:start + window]) for start in range(0, len(ids) - window + 1, window)]
        if len(windows) < 4:
            raise OptionError(f"{options.text} is too short: {len(ids)} tokens make {len(windows)} windows of {window}")
        sequences = Sequences(repeated_sequences(ids, options.sequences, options.period, options.seed),
                              repeated_passages(windows[::2], options.period), windows[::2])
        found = examine(model, sequences, windows[1::2], np.unique(ids), heads=options.heads, alone=options.alone,
                        draws=options.draws, seed=options.seed, zero=options.ablation == "zero")
        return {"model": model.config.name, "sequences": options.sequences, "period": options.period,
                "windows": len(windows[::2]), "window": window, "ablation": options.ablation} | found

    @staticmethod
    def page(found: dict[str, Any]) -> str:
        """Losses, the highest-scoring heads, the groups, what follows."""
        group = found["group"]
        scored = [[one["head"], *(f"{one[name][0]:.3f} ± {one[name][1]:.3f}" for name in ("prefix", "before")),
                   *(f"{one[name][0]:.3f}" for name in ("same", "previous", "elsewhere")), f"{one['copying']:.2f}",
                   str(Estimate(*one["alone"])) if one["alone"] else "–"] for one in found["heads"][:_SHOWN]]
        rows = [_row("highest-scoring", group["heads"], group["rise"])]
        rows += [_row(f"random, {_where(draw['heads'], group['heads'])}", draw["heads"], draw["rise"])
                 for draw in group["draws"]]
        rows.append(_row("highest less random", (), group["excess"]))
        count = sum(one["alone"] is not None for one in found["heads"])
        return "\n\n".join([
            f"{found['model']}: {found['sequences']} random sequences of {-(-found['period'] // 2)} to "
            f"{found['period']} tokens that come twice, {found['windows']} windows of {found['window']} tokens of "
            f"held-out text, the first {found['period']} of each also twice (passages). In the place of a head that is "
            f"taken out: {'its mean' if found['ablation'] == 'mean' else 'zeros'}.",
            _plain(found),
            markdown_table(["head", "behind the earlier occurrence", "in front of it", "at it", "previous token",
                            "elsewhere", "copying", "alone: rise of second less first"], scored),
            f"Over the {count} heads that were taken out alone the rank correlation of first score and rise is "
            f"{found['correlation']:+.2f} (by chance 0 ± {1 / math.sqrt(max(count - 1, 1)):.2f}).",
            markdown_table(["without", "heads", "rise of second less first, random", "passages", "rise of first halves",
                            "rise of text"], rows),
            _verdict(found)])


def _row(name: str, heads: Sequence[str], rises: dict[str, Any]) -> list[str]:
    return [name, ", ".join(heads), *(str(Estimate(*rises[kind])) for kind in ("repeat", "passage", "first", "text"))]


def _where(drawn: Sequence[str], heads: Sequence[str]) -> str:
    layers = [sorted(name.partition(".")[0] for name in names) for names in (drawn, heads)]
    return "same layers" if layers[0] == layers[1] else "any layers"


def _plain(found: dict[str, Any]) -> str:
    plain, twin = found["plain"], found["float"]
    return ("Loss of the whole model, nats a token, on the emulator (float twin): first halves "
            f"{plain['first'][0]:.2f} ({twin['first'][0]:.2f}), text {plain['text'][0]:.2f} ({twin['text'][0]:.2f}); "
            f"second halves less first ones: random sequences {Estimate(*plain['repeat'])} ({twin['repeat'][0]:+.3f}), "
            f"passages {Estimate(*plain['passage'])} ({twin['passage'][0]:+.3f}).")


def _verdict(found: dict[str, Any]) -> str:
    excess = Estimate(*found["group"]["excess"]["repeat"])
    whole = Estimate(*found["plain"]["repeat"])
    says = (f"without the highest-scoring heads second halves lose {excess} nats more of their advantage than without "
            "random ones")
    if whole.mean > -2 * whole.error:
        return (f"No function: the whole model finds second halves no easier than first ones ({whole}), so there is no "
                f"induction to carry; {says}.")
    if found["group"]["carries"]:
        return f"Function: {says}, and the whole model's is {-whole.mean:.3f} ± {whole.error:.3f}."
    return f"No function beyond chance: {says}, which is no loss of more than two standard errors."


def examine(model: Model, sequences: Sequences, others: Sequence[Sequence[int]], pool: np.ndarray, *, heads: int,
            alone: int, draws: int, seed: int, zero: bool = False) -> dict[str, Any]:
    """The answer without its settings. others: windows of which a head's mean is taken, unless zeros are put in its
    place; pool: the tokens that copying is ranked among, sorted, those of the random sequences among them."""
    everything = all_heads(model.config)
    with tqdm(total=len(sequences.repeated) + min(alone, len(everything)) + draws + 1, desc="induction", unit="run",
              file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        seen, copied = _scores(model, sequences.repeated, pool, bar)
        mean = seen.prefix.mean(axis=0)
        order = sorted(everything, key=lambda head: -mean[head])
        trial, rises = Trial(Ablated(model, None if zero else _means(model, others)), sequences), {}
        for head in order[:alone]:
            rises[head] = trial.rise_of_repeats(head)
            bar.update()
        group = trial.against(order[:heads], matched_draws(model.config, order[:heads], draws, seed), bar.update)
    twin = float_model(model)
    floats = sequences.losses(partial(_float_losses, twin))
    return {"plain": trial.plain.estimates(), "float": floats.estimates(), "group": group,
            "correlation": correlation([float(mean[head]) for head in rises], [one.mean for one in rises.values()]),
            "heads": [{"head": str(head), "copying": float(copied[head]), "alone": rises.get(head)}
                      | {name: estimate(values[:, head.layer, head.head]) for name, values in seen._asdict().items()}
                      for head in order]}


def _scores(model: Model, repeated: Sequence[Repeated], pool: np.ndarray, bar: tqdm) -> tuple[Looks, np.ndarray]:
    """What heads look at, [sequences, layers, heads], and how they copy the first halves, [layers, heads]."""
    reader, twin, found, copied = AttentionReader(model, EmulatorDevice(CPU)), float_model(model), [], []
    for each in repeated:
        seen = reader(each.ids)
        found.append(looks(seen.weights, each.period))
        copied.append(copying(twin, seen.inputs[:, :each.period], np.asarray(each.ids[:each.period]), pool))
        bar.update()
    return Looks(*(np.stack(values) for values in zip(*found, strict=True))), np.mean(copied, axis=0)


def _means(model: Model, windows: Sequence[Sequence[int]]) -> np.ndarray:
    """Mean input of the output matrix, [layers, attention_size]: what stands for a head that is taken out."""
    points = points_of(Site.O, model.config)
    seen = [observe(model, EmulatorDevice(CPU), points, window) for window in windows]
    return np.stack([np.concatenate([one[point] for one in seen]).mean(axis=0) for point in points])


def _float_losses(twin: FloatModel, ids: Sequence[int]) -> np.ndarray:
    values = float_logits(twin, np.asarray(ids[:-1])).astype(np.float64)
    top = values.max(axis=1, keepdims=True)
    return np.log(np.exp(values - top).sum(axis=1)) + top[:, 0] - values[np.arange(len(values)), np.asarray(ids[1:])]
