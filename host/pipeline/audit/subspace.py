"""Whether a direction works by what is read of it, or by an illusion: a null part that drives a dormant path.

Source: "Is This the Subspace You Are Looking for? An Interpretability Illusion for Subspace Activation Patching".
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from host.pipeline.audit.audit import Audit, add_model, at_least
from host.pipeline.audit.effects import PASSAGE, Effect, Passages, judged
from host.pipeline.audit.lean import Lean
from host.pipeline.audit.patches import adding, setting
from host.pipeline.audit.readers import Split, patch_optimal, planted_illusion, readers
from host.pipeline.features.separation import separations
from host.pipeline.features.snmf import factorise
from host.pipeline.loading import load_stages
from host.pipeline.site import Point, Site
from host.pipeline.steering.added_vectors import AddedVectors
from host.pipeline.steering.contrast import Contrast, chosen_layers, middle_third
from host.pipeline.texts import text_ids
from models.checkpoint import Model, load_model
from models.errors import OptionError
from models.golden.model import RowStage
from models.markdown import markdown_table

__all__ = ["Subspace"]

_FEATURES = 64
_PARTS = ("whole", "read", "unread")
_Parts = Mapping[str, Mapping[Point, Sequence[RowStage]]]


class _Row(NamedTuple):
    """A row of the answer without its verdict, and the effects by part."""

    said: dict[str, Any]
    effects: Mapping[str, Effect]


class Subspace(Audit):
    """Does the effect of a direction survive without what nothing reads of it?"""

    name, summary = "subspace", "is a direction's effect an illusion of its null space"
    description = ("Splits directions by the row space of the matrices that read them, patches along the whole and "
                   "along each part on held-out text of the other manner, and says whether the effect survives without "
                   "the null part; a planted illusion and random directions stand beside. On the emulator.")

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Texts of two manners to fit on, one to patch, artefacts."""
        add_model(parser)
        parser.add_argument("--toward", type=Path, required=True, metavar="FILE", help="text in the wanted manner")
        parser.add_argument("--away", type=Path, required=True, metavar="FILE", help="text in the other manner")
        parser.add_argument("--held-out-away", type=Path, required=True, metavar="FILE",
                            help="text in the other manner that nothing is fitted to; it is patched")
        parser.add_argument("--stage", action="append", default=[], metavar="ARTEFACT[:STRENGTH]",
                            help="a steering artefact of vectors to audit; may be given several times")
        parser.add_argument("--layers", help="layers whose feed-forward is audited (default: the middle third)")
        parser.add_argument("--tokens", type=int, default=4096, help="of each text to fit on (default: %(default)s)")
        parser.add_argument("--passages", type=int, default=12,
                            help=f"of {PASSAGE} tokens, to patch (default: %(default)s)")
        parser.add_argument("--random", type=int, default=3, help="random directions a layer (default: %(default)s)")

    @staticmethod
    def answer(options: argparse.Namespace) -> dict[str, Any]:
        """A row a direction: the share of it that is read, effects of the whole and of each part, the verdict."""
        at_least(options, passages=2, random=1)
        model = load_model(options.model)
        layers = (chosen_layers(options.layers, model.config.layers) if options.layers
                  else middle_third(model.config.layers))
        steering = _steering(model, options.stage)
        contrast = Contrast.read(model, options.toward, options.away, options.tokens)
        patched = Passages(model, text_ids(model, options.held_out_away), options.passages,
                           Lean(contrast.toward, contrast.away, model.config.vocab_size).of)
        found: list[dict[str, Any]] = []
        with tqdm(total=3 * (len(layers) * (4 + options.random) + 2 * len(steering)), desc="subspace", unit="run",
                  file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
            for layer in layers:
                found += _feed_forward(contrast, patched, Point(layer, Site.DOWN), options.random, bar.update)
            for name, stage, control in steering:
                found += _judged([_vectors(model, patched, name, stage, bar.update)],
                                 [_vectors(model, patched, "random, of the same norms", control, bar.update)])
        return {"passages": len(patched), "tokens": PASSAGE, "lean": float(patched.plain.mean()), "rows": found}

    @staticmethod
    def page(found: dict[str, Any]) -> str:
        """A row a direction."""
        rows = [[each["point"], each["direction"], f"{each['rank']} of {each['channels']}",
                 f"{100 * each['share']:.1f} %", *(_cell(*each[part]) for part in _PARTS),
                 _survives(each), each["verdict"]] for each in found["rows"]]
        heads = ["point", "direction", "dimensions read", "read share of the norm²", "whole", "read part alone",
                 "rest alone", "survives", "verdict"]
        return (f"Plain lean {found['lean']:+.3f} nats, over {found['passages']} passages of {found['tokens']} tokens; "
                "effects are its change ± standard error.\n\n" + markdown_table(heads, rows))


def _steering(model: Model, names: Sequence[str]) -> list[tuple[str, AddedVectors, AddedVectors]]:
    """Artefacts of vectors: name, stage and control."""
    found = []
    for name, stage in load_stages(model, names):
        if not isinstance(stage, AddedVectors):
            raise OptionError(f"{name} adds no vectors, so there is no direction to split")
        control = stage.randomised(1)
        assert isinstance(control, AddedVectors)
        found.append((Path(name).name, stage, control))
    return found


def _judged(rows: Sequence[_Row], controls: Sequence[_Row]) -> list[dict[str, Any]]:
    """The answer's rows, controls last."""
    floor = [control.effects["whole"] for control in controls]
    return [*({**row.said, "verdict": judged(row.effects["whole"], row.effects["read"], floor)} for row in rows),
            *({**control.said, "verdict": "control"} for control in controls)]


def _feed_forward(contrast: Contrast, patched: Passages, point: Point, random: int, done: Callable[[int], object]
                  ) -> list[dict[str, Any]]:
    """Directions in front of `down`: a patch sets their product to the wanted manner's mean."""
    toward, away = contrast.observed(point)
    matrix = readers(contrast.model, point)
    split = Split.of(matrix)

    def row(name: str, direction: np.ndarray) -> _Row:
        stages = {}
        for part, vector in zip(_PARTS, (direction, *split.parts(direction)), strict=True):
            if (length := float(np.linalg.norm(vector))) > 1e-9 * float(np.linalg.norm(direction)):
                unit = vector / length
                stages[part] = {point: [setting(unit, float((toward @ unit).mean()))]}
        return _measured({"point": f"layer {point.layer}, {point.site}", "direction": name, "rank": split.rank,
                          "channels": len(direction), "share": split.share(direction)}, patched, stages, done)

    difference = toward.mean(axis=0) - away.mean(axis=0)
    rows = [row("difference of means", difference), row("patch-optimal", patch_optimal(difference, matrix)),
            row("SNMF feature", _snmf(toward, away))]
    if split.rank < toward.shape[1]:
        rows.append(row("planted illusion", planted_illusion(toward, away, matrix, split)))
    drawn = np.random.default_rng(point.layer).standard_normal((random, toward.shape[1]))
    return _judged(rows, [row(f"random {number}", direction) for number, direction in enumerate(drawn, 1)])


def _vectors(model: Model, patched: Passages, name: str, stage: AddedVectors, done: Callable[[int], object]
             ) -> _Row:
    """Vectors that steering adds to the residual, all layers together. Where its readers leave no null space, the part
    that they see least stands in for it: half of the dimensions, by their singular values."""
    parts: dict[str, dict[Point, list[RowStage]]] = {"whole": {}, "read": {}, "unread": {}}
    ranks, seen, total = [], 0.0, 0.0
    for layer in sorted(stage.layers):
        point, vector = Point(layer, Site.RESIDUAL), stage.added[layer]
        split = Split.of(readers(model, point))
        ranks.append(split.rank)
        if split.rank == len(vector):
            split = Split.of(readers(model, point), len(vector) // 2)
        for part, value in zip(parts.values(), (vector, *split.parts(vector)), strict=True):
            part[point] = [adding(value)]
        seen, total = seen + split.share(vector) * float(vector @ vector), total + float(vector @ vector)
    where = f"layers {', '.join(map(str, sorted(stage.layers)))}, residual"
    halved = "; read: the half seen most" if min(ranks) == model.config.hidden_size else ""
    return _measured({"point": where + halved, "direction": name, "rank": min(ranks),
                      "channels": model.config.hidden_size, "share": seen / total}, patched, parts, done)


def _measured(said: dict[str, Any], patched: Passages, parts: _Parts, done: Callable[[int], object]) -> _Row:
    """A row with the effects of the parts there are; of others, nothing."""
    nothing = Effect(np.zeros(len(patched)))
    effects = {part: patched.effect(parts[part]) if part in parts else nothing for part in _PARTS}
    done(3)
    return _Row(said | {part: [effect.mean, effect.error] for part, effect in effects.items()}, effects)


def _snmf(toward: np.ndarray, away: np.ndarray) -> np.ndarray:
    """The feature that tells the manners apart best, toward the wanted one."""
    rows = [side[::-(-len(side) // 2048)] for side in (toward, away)]
    factors = factorise(np.concatenate(rows), min(_FEATURES, len(rows[0]) + len(rows[1])))
    apart = separations(factors.amounts[:len(rows[0])], factors.amounts[len(rows[0]):])
    best = int(np.abs(apart).argmax())
    return factors.directions[:, best] * np.sign(apart[best])


def _survives(row: dict[str, Any]) -> str:
    """Of the whole's effect, by what is read alone; where there is one."""
    return f"{100 * row['read'][0] / row['whole'][0]:.0f} %" if row["verdict"] in ("real", "illusion") else "–"


def _cell(mean: float, error: float) -> str:
    return f"{mean:+.4f} ± {error:.4f}"
