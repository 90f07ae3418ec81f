"""Whether a model notices that a vector was added to its residual.

Source: "Mechanisms of Introspective Awareness", where models say so in words; base models do not. So it is asked in two
ways that need no words of the model's own: whether the probability of some next word tells injected runs from plain
ones, and whether a linear probe on a later layer does. Words, probes and thresholds are chosen on some vectors and
prompts, and asked about other vectors in prompts of another text.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from host.devices.emulator import EmulatorDevice
from host.pipeline.audit.audit import Audit, add_model, at_least
from host.pipeline.audit.detection import FALSE_ALARMS, Detected, aucs, detected
from host.pipeline.audit.injection import Injector, Runs, common_words, random_directions, word_directions
from host.pipeline.audit.probe import Probe
from host.pipeline.observing import residuals
from host.pipeline.steering.added_vectors import usual_norm
from host.pipeline.steering.contrast import chosen_layers
from host.pipeline.texts import spread, text_ids
from host.text import Text
from models.checkpoint import load_model
from models.errors import OptionError
from models.machine.build import CPU
from models.markdown import markdown_table

__all__ = ["Introspection", "Kind"]

_TOKENS = 16  # of a prompt
_FITTED = 8192  # tokens that words' directions are means over
_KINDS = ("words", "random")


class Kind(NamedTuple):
    """Runs with vectors of one kind behind one layer at one strength: those to fit on, those to ask about."""

    fitted: Runs
    asked: Runs


class Introspection(Audit):
    """Self-report and probe, with controls."""

    name, summary = "introspection", "whether an injected vector is noticed"
    description = ("Whether a vector that is added to the residual is noticed: by the probability of a next word, and "
                   "by a linear probe on later layers, on vectors and prompts that neither was chosen on; beside "
                   "norms alone, shuffled labels and random vectors; on the emulator.")

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Texts, layers, strengths, sizes."""
        add_model(parser)
        parser.add_argument("--text", type=Path, required=True, metavar="FILE", help="words, and prompts to choose on")
        parser.add_argument("--held-out", type=Path, required=True, metavar="FILE", help="prompts to ask about")
        parser.add_argument("--layers", metavar="L,...", help="behind which a vector is added (default: the first, the "
                            "middle one and the last but one)")
        parser.add_argument("--strengths", default="0.1,0.3,1", metavar="S,...", help="a vector's norm, in the median "
                            "norm of the residual there (default: %(default)s)")
        parser.add_argument("--vectors", type=int, default=24, help="to choose on, and as many to ask about (default: "
                            "%(default)s)")
        parser.add_argument("--each", type=int, default=16, help="prompts a vector (default: %(default)s)")

    @staticmethod
    def answer(options: argparse.Namespace) -> dict[str, Any]:
        """What each detector finds at each layer and strength."""
        at_least(options, vectors=2, each=2)
        model = load_model(options.model)
        count = model.config.layers
        if count < 2:
            raise OptionError(f"{model.config.name} has one layer, and none behind it notices anything")
        layers = chosen_layers(options.layers or f"0,{(count - 1) // 2},{count - 2}", count - 1)
        strengths = _numbers(options.strengths)
        ids = text_ids(model, options.text)
        runs = options.vectors * options.each
        chosen = _prompts(ids, 2 * runs, options.text)
        fitted, set_on, asked = chosen[::2], chosen[1::2], _prompts(text_ids(model, options.held_out), runs,
                                                                    options.held_out)
        seen = spread(ids, _FITTED, model.config.context)
        states = residuals(model, EmulatorDevice(CPU), seen, description="words", skipped=0)
        words = common_words(Text(model.folder), seen, 2 * options.vectors)
        inject = Injector(model, layers)
        rows = []
        with tqdm(total=runs * (3 + 4 * len(layers) * len(strengths)), desc="injecting", unit="run", file=sys.stderr,
                  disable=not sys.stderr.isatty()) as bar:
            plain, aside = Kind(*(inject(part, on_runs=bar.update) for part in (fitted, asked))), inject(
                set_on, on_runs=bar.update)
            for layer in layers:
                directions = {"words": word_directions(states[layer], seen, words),
                              "random": random_directions(len(words), states.shape[-1], layer)}
                norm = usual_norm(states[layer])
                for strength in strengths:
                    kinds = {name: Kind(*(inject(prompts, layer, found[part::2] * norm * strength, bar.update)
                                          for part, prompts in enumerate((fitted, asked))))
                             for name, found in directions.items()}
                    rows += [{"layer": layer, "strength": strength, **row}
                             for row in _asked(kinds, plain, aside, layer, options.vectors)]
        shown = Text(model.folder)
        for row in rows:
            row["word"] = repr(shown.decode([row["word"]])).replace("|", "\\|")
        return {"layers": layers, "strengths": strengths, "vectors": options.vectors, "each": options.each,
                "tokens": _TOKENS, "rows": rows}

    @staticmethod
    def page(found: dict[str, Any]) -> str:
        """What is reported, what a probe sees, where it sees it."""
        rows = found["rows"]
        places = [[str(row["layer"]), f"{row['strength']:g}", row["kind"]] for row in rows]
        detected_by = [{name: Detected.from_json(stored) for name, stored in row["detectors"].items()} for row in rows]
        reports = [[*place, f"`{row['word']}`", by["word"].shown(), by["word"].false.shown(), by["word"].found.shown(),
                    by["entropy"].shown(), f"{row['median_word']:.2f}"]
                   for place, row, by in zip(places, rows, detected_by, strict=True)]
        probes = [[*place, by["probe"].shown(), by["probe"].false.shown(), by["probe"].found.shown(),
                   by["norm"].shown(), by["probe, shuffled"].shown(), by["probe of the other kind"].shown()]
                  for place, by in zip(places, detected_by, strict=True)]
        layers = range(min(found["layers"]) + 1, 1 + max(int(layer) for row in rows for layer in row["by_layer"]))
        behind = [[*place, *(f"{row['by_layer'][str(layer)]:.2f}" if str(layer) in row["by_layer"] else "–"
                             for layer in layers)] for place, row in zip(places, rows, strict=True)]
        where = ["behind layer", "strength", "vectors"]
        errors = [f"false alarms, set at {FALSE_ALARMS:.0%}", "found"]
        return "\n\n".join([
            f"{found['vectors']} vectors of either kind to choose on and {found['vectors']} others to ask about, "
            f"{found['each']} prompts of {found['tokens']} tokens each. AUC with its 95 % interval over vectors; "
            "shares with theirs (Wilson). A *word*'s vector leads from the residual's mean to its mean at that word.",
            "*Self-report*: the next word whose probability tells best, at the end of the prompt. *Entropy alone*: of "
            "the next word's distribution. *Median word*: the AUC that half of all words exceed, each with the sign "
            "that it has on the vectors to choose on.",
            markdown_table([*where, "word", "AUC", *errors, "entropy alone", "median word"], reports),
            "*Probe* of the residual behind the last layer:",
            markdown_table([*where, "AUC", *errors, "norm alone", "shuffled labels", "probe of the other kind"],
                           probes),
            "AUC of a probe behind each layer:",
            markdown_table([*where, *map(str, layers)], behind)])


def _asked(kinds: dict[str, Kind], plain: Kind, aside: Runs, layer: int, groups: int) -> list[dict[str, Any]]:
    """A row a kind of vector. aside: plain runs for thresholds."""
    last = len(plain.fitted.states) - 1
    probes = {name: {at: _probe(kind.fitted.states[at], plain.fitted.states[at]) for at in range(layer + 1, last + 1)}
              for name, kind in kinds.items()}
    rows = []
    for name, other in zip(_KINDS, _KINDS[::-1], strict=True):
        kind = kinds[name]

        def held_against(scores: np.ndarray, unmoved: np.ndarray, set_on: np.ndarray) -> Detected:
            return detected(scores.reshape(groups, -1), unmoved.reshape(groups, -1), set_on)

        def by_probe(probe: Probe, at: int, kind: Kind = kind) -> Detected:
            return held_against(*(probe(runs.states[at]) for runs in (kind.asked, plain.asked, aside)))

        def by_word(word: int, sign: int, kind: Kind = kind) -> Detected:
            return held_against(*(sign * runs.log_probabilities[:, word] for runs in (kind.asked, plain.asked, aside)))

        def by_one(figure: Callable[[Runs], np.ndarray], kind: Kind = kind) -> Detected:
            sign = _best(figure(kind.fitted)[:, None], figure(plain.fitted)[:, None])[1]
            return held_against(*(sign * figure(runs) for runs in (kind.asked, plain.asked, aside)))

        word, sign = _best(kind.fitted.log_probabilities, plain.fitted.log_probabilities)
        areas = aucs(kind.asked.log_probabilities, plain.asked.log_probabilities)
        signs = np.sign(aucs(kind.fitted.log_probabilities, plain.fitted.log_probabilities) - 0.5)
        mixed = _mixed(kind.fitted.states[last], plain.fitted.states[last])
        detectors = {"word": by_word(word, sign), "entropy": by_one(_entropy),
                     "probe": by_probe(probes[name][last], last), "probe, shuffled": by_probe(_probe(*mixed), last),
                     "probe of the other kind": by_probe(probes[other][last], last),
                     "norm": by_one(lambda runs: np.linalg.norm(runs.states[last], axis=1))}
        rows.append({"kind": name, "word": word, "detectors": detectors,
                     "median_word": float(np.median(0.5 + signs * (areas - 0.5))),
                     "by_layer": {str(at): by_probe(probe, at).auc for at, probe in probes[name].items()}})
    return rows


def _entropy(runs: Runs) -> np.ndarray:
    """Of the next word's distribution, nats."""
    return -(np.exp(runs.log_probabilities) * runs.log_probabilities).sum(axis=1)


def _probe(injected: np.ndarray, plain: np.ndarray) -> Probe:
    return Probe(np.concatenate([injected, plain]), np.arange(len(injected) + len(plain)) < len(injected))


def _best(injected: np.ndarray, plain: np.ndarray) -> tuple[int, int]:
    """The column that tells best, and whether it is higher (1) or lower (-1) where a vector is injected."""
    areas = aucs(injected, plain)
    word = int(np.abs(areas - 0.5).argmax())
    return word, 1 if areas[word] >= 0.5 else -1


def _mixed(injected: np.ndarray, plain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same rows with their labels dealt out anew."""
    rows = np.concatenate([injected, plain])[np.random.default_rng(0).permutation(len(injected) + len(plain))]
    return rows[:len(injected)], rows[len(injected):]


def _prompts(ids: list[int], count: int, path: Path) -> np.ndarray:
    """int [count, tokens], evenly spread and apart from each other; `OptionError` for a text that is too short."""
    if len(ids) < count * _TOKENS:
        raise OptionError(f"{path} has {len(ids)} tokens, and {count} prompts of {_TOKENS} were asked for")
    starts = np.linspace(0, len(ids) - _TOKENS, count).astype(int)
    return np.array([ids[start:start + _TOKENS] for start in starts])


def _numbers(option: str) -> list[float]:
    """Of `--strengths`."""
    try:
        found = [float(part) for part in option.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 < number < np.inf for number in found):
        raise OptionError(f"--strengths takes numbers above 0 with commas between, got {option!r}")
    return found
