"""Masks beside each other at equal realised sparsity: what each costs, with the controls that would expose it.

Methods that make the same inputs sparse stand in one group, so that a share of zeros means the same for all of them.
Settings are found on one text and scored on another.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from host.pipeline.methods import find_methods
from host.pipeline.placement import place
from host.pipeline.site import LINEAR_INPUTS, Point, Site
from host.pipeline.sparsity.allocation import READERS
from host.pipeline.sparsity.calibration import to_zeros
from host.pipeline.sparsity.fitted_mask import FittedMask, LayerFits, layer_inputs
from host.pipeline.sparsity.measuring import Rows, capture, measure
from host.pipeline.stage import Stage
from models.checkpoint import Model
from models.dequantise import float_model
from models.golden.scalar import from_word, to_float

__all__ = ["GROUPS", "TARGETS", "Row", "compare_masks", "layer_error"]

TARGETS = (0.25, 0.5, 0.7, 0.9)

_CONTROLS = ("random-per-token", "fixed-random", "oracle")
GROUPS: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]] = {
    "qkv,o,gate_up,down": [(name, {}) for name in ("teal", "wina", *_CONTROLS)],
    "down": [("top-k", {}), ("spark", {"quantile": "text"}), ("tau-gate", {}), ("chess", {"sites": "gate"}),
             *((name, {"sites": "down"}) for name in ("teal", "wina", *_CONTROLS))],
    "qkv,o,down": [("chess", {}), *((name, {"sites": "qkv,o,down"}) for name in ("teal", "wina", *_CONTROLS))]}
"""Methods with their options, by the inputs that they make sparse."""

_ERROR_TOKENS = 128


class Row(NamedTuple):
    """A line of the table. target: None for the plain model. zeros: realised, over the group's inputs. setting: the
    method's share of zeros. layer_error: see `layer_error`. runs, cuts: as `Placement` says."""

    group: str
    method: str
    target: float | None
    setting: float | None
    zeros: float
    layer_error: float
    perplexity: float | None
    over_plain: float
    runs: str
    cuts: int


def compare_masks(model: Model, fitting: Sequence[int], scored: Sequence[int], targets: Sequence[float] = TARGETS,
                  groups: Sequence[str] = ()) -> list[Row]:
    """Rows of groups (of all, if none is named), the plain model's first in each.

    There are none for a target that the plain model has reached already. fitting, scored: token ids of two texts.
    """
    methods, twin = find_methods(), float_model(model)
    inputs = layer_inputs(twin, fitting)
    points = [Point(layer, site) for layer in range(model.config.layers) for site in (*LINEAR_INPUTS, Site.GATE)]
    captured = capture(model, points, scored[:_ERROR_TOKENS])
    rows = []
    for group in groups or GROUPS:
        counted = {point for point in points if point.site in group.split(",")}
        plain = measure(model, [], scored, points=counted)
        before = measure(model, [], fitting, points=counted).zeros
        rows.append(Row(group, "plain", None, None, plain.zeros, 0.0, plain.perplexity, 1.0, "nowhere", 0))
        for target in (target for target in targets if target > before):
            for name, options in tqdm(GROUPS[group], f"{group} {target}", file=sys.stderr,
                                      disable=not sys.stderr.isatty()):
                cls = methods["sparsity", name]
                assert issubclass(cls, FittedMask)
                found = to_zeros(LayerFits(cls, twin, inputs, options), model, fitting, target, counted)
                rows.append(_row(model, group, target, found.stage, found.sparsities[0], scored, plain.nll,
                                 {point: captured[point] for point in captured if point in counted or
                                  point.site == Site.GATE}))
    return rows


def _row(model: Model, group: str, target: float, stage: Stage, setting: float, scored: Sequence[int], plain: float,
         captured: Mapping[Point, Rows]) -> Row:
    counted = [point for point in captured if point.site != Site.GATE]
    measured = measure(model, [stage], scored, points=counted)
    placement, points = place([stage], model), stage.points(model)
    ratio = float(np.exp((measured.nll - plain) / (len(scored) - 1)))
    return Row(group, stage.method, target, setting, measured.zeros, layer_error(stage, model, captured),
               measured.perplexity, ratio, placement.where(points), placement.cuts(points))


def layer_error(stage: Stage, model: Model, captured: Mapping[Point, Rows]) -> float:
    """What a mask takes from the products of the matrices behind it, on the plain model's rows: relative, in L2.

    For each linear input in `captured` the root of the sum of squares lost over that of the products; their mean.
    """
    errors, acts = [], set(stage.points(model))
    for point in sorted(point for point in captured if point.site != Site.GATE):
        values, unit = captured[point]
        kept = stage.apply(point, values, unit, model) if point in acts else values
        if (gate := Point(point.layer, Site.GATE)) in acts and point.site == Site.DOWN:
            sums = captured[gate]
            kept = np.where((stage.apply(gate, *sums, model) == 0) & (sums.rows != 0), 0, kept)
        scale, lost, whole = to_float(unit)[:, None], 0.0, 0.0
        for name in READERS[Site(point.site)]:
            linear = model.layers[point.layer].linears[name]
            weights = linear.trits().T * float(to_float(from_word(linear.scale)))
            lost += float(np.square(((values - kept) * scale) @ weights).sum())
            whole += float(np.square((values * scale) @ weights).sum())
        errors.append((lost / max(whole, 1e-300)) ** 0.5)
    return float(np.mean(errors)) if errors else 0.0
