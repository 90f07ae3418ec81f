"""Masks beside each other at equal realised sparsity: what each costs, with the controls that would expose it.

Methods that make the same inputs sparse stand in one group, so that a share of zeros means the same for all of them.
Settings are found on one text and scored on another.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from host.pipeline.decode_speed import DecodeRace
from host.pipeline.measuring import Measured, Sessions, capture, measure
from host.pipeline.methods import find_methods
from host.pipeline.placement import place
from host.pipeline.site import LINEAR_INPUTS, Point, Site
from host.pipeline.sparsity.allocated_mask import AllocatedMask
from host.pipeline.sparsity.at_percent import AtPercent, at_percent
from host.pipeline.sparsity.calibration import to_zeros
from host.pipeline.sparsity.fitted_mask import FittedMask, LayerFits, layer_inputs
from host.pipeline.sparsity.kept_gates import KeptGates, kept_gates
from host.pipeline.sparsity.layer_error import layer_error
from host.pipeline.sparsity.paired import BLOCK, paired_difference
from host.pipeline.sparsity.unread import Unread, matrix_bytes
from host.pipeline.stage import Stage
from models.checkpoint import Model
from models.dequantise import float_model

__all__ = ["GROUPS", "TARGETS", "Comparison", "Missing", "Pair", "Row", "compare_masks"]

TARGETS = (0.25, 0.5, 0.7, 0.9)

_CONTROLS = ("random-per-token", "fixed-random", "oracle")


def _everywhere(sites: str) -> list[tuple[str, Mapping[str, str]]]:
    return [(name, {"sites": sites}) for name in ("teal", "wina", *_CONTROLS)]


GROUPS: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]] = {
    "qkv,o,gate_up": _everywhere("qkv,o,gate_up"),
    "qkv,o,gate_up,down": _everywhere("qkv,o,gate_up,down"),
    "qkv,o": [("chess", {"sites": "qkv,o"}), *_everywhere("qkv,o")],
    "down": [("top-k", {}), ("spark", {}), ("tau-gate", {}), ("chess", {"sites": "gate"}),
             *_everywhere("down")]}
"""Methods with their options, by the inputs that they make sparse."""

_ERROR_TOKENS = 128


class Row(NamedTuple):
    """A line of the table. target: None for the plain model. zeros: realised, over the group's inputs. setting: the
    method's share of zeros. layer_error: see `layer_error`. runs, cuts: as `Placement` says. bytes_unread: of a token's
    matrix_bytes, see `Unread`. tokens_per_s, of_dense, measured_unread: see `Speed`."""

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
    bytes_unread: float
    matrix_bytes: float
    tokens_per_s: float | None
    of_dense: float | None
    measured_unread: float | None = None


class Pair(NamedTuple):
    """WINA's loss less TEAL's, nats a token, with its standard error; the zeros that each of them realised."""

    group: str
    target: float
    wina_zeros: float
    teal_zeros: float
    difference: float
    error: float


class Missing(NamedTuple):
    """A target without rows, since the plain model has more zeros on the fitted text."""

    group: str
    target: float
    zeros: float


class Comparison(NamedTuple):
    """All that was measured."""

    rows: list[Row]
    missing: list[Missing]
    pairs: list[Pair]
    kept: list[KeptGates]
    percent: list[AtPercent]


def compare_masks(model: Model, fitting: Sequence[int], scored: Sequence[int], targets: Sequence[float] = TARGETS,
                  groups: Sequence[str] = (), percent: float | None = None, bisected: Sequence[int] = ()) -> Comparison:
    """Rows of groups (of all, if none is named), the plain model's first in each.

    There are none for a target that the plain model has reached already. fitting, scored: token ids of two texts.
    percent: of perplexity, for the sparsity of each method at so much more, on the fitted text or on `bisected`, where
    that is given: with more tokens perplexity jumps less. Pairs need 64 losses.
    """
    bench, found = _Bench(model, fitting, scored), Comparison([], [], [], [], [])
    for group in groups or GROUPS:
        points = {point for point in bench.captured if point.site in group.split(",")}
        before = measure(model, [], fitting, points=points, sessions=bench.sessions).zeros
        plain = bench.plain(group, points)
        found.rows.append(plain.row)
        found.missing.extend(Missing(group, target, before) for target in targets if target <= before)
        for target in (target for target in targets if target > before):
            by_method = {}
            for scored_row in bench.masked(group, target, points, plain.measured):
                found.rows.append(scored_row.row)
                by_method[scored_row.row.method] = scored_row
            if {"wina", "teal"} <= by_method.keys() and len(scored) > 2 * BLOCK:
                found.pairs.append(_pair(by_method["wina"], by_method["teal"]))
        if percent is not None:
            for name, options in _shown(GROUPS[group], f"{group}, {percent:g} %"):
                found.percent.append(at_percent(group, name, bench.fits(name, options), model, bisected or fitting,
                                                scored, percent, points, plain.measured, bench.sessions))
    return found._replace(kept=kept_gates(model, bench.twin, bench.inputs, scored, bench.sessions))


class _Scored(NamedTuple):
    row: Row
    measured: Measured


class _Bench:
    """What all comparisons on a model and two texts share: the fitted text is looked at once."""

    def __init__(self, model: Model, fitting: Sequence[int], scored: Sequence[int]):
        self.model, self.fitting, self.scored = model, fitting, scored
        self.methods, self.twin = find_methods(), float_model(model)
        self.inputs = layer_inputs(self.twin, fitting)
        sites = (*LINEAR_INPUTS, Site.GATE)
        self.captured = capture(model, [Point(layer, site) for layer in range(model.config.layers) for site in sites],
                                scored[:_ERROR_TOKENS])
        self.sessions, self._race = Sessions(model), DecodeRace(model, scored)

    def fits(self, name: str, options: Mapping[str, str]) -> LayerFits:
        """A method on the fitted text."""
        cls = self.methods["sparsity", name]
        assert issubclass(cls, FittedMask)
        return LayerFits(cls, self.twin, self.inputs, options)

    def plain(self, group: str, points: set[Point]) -> _Scored:
        """The line of the model without a mask."""
        unread = Unread(self.model)
        measured = measure(self.model, [], self.scored, points=points, looks=unread.looks,
                           sessions=self.sessions)
        return _Scored(Row(group, "plain", None, None, measured.zeros, 0.0, measured.perplexity, 1.0, "nowhere", 0,
                           unread.bytes_a_token, matrix_bytes(self.model), None, None, self._race.of([]).unread),
                       measured)

    def masked(self, group: str, target: float, points: set[Point], plain: Measured) -> Iterator[_Scored]:
        """The lines of a group's methods at a share of zeros."""
        first = None
        for name, options in _shown(GROUPS[group], f"{group} {target}"):
            fits = self.fits(name, options)
            allocated = issubclass(fits.method, AllocatedMask)
            found = to_zeros(fits, self.model, self.fitting, target, points, first=first if allocated else None,
                             sessions=self.sessions)
            if allocated:  # another choice of as many channels
                [first, *_] = found.sparsities
            yield self._row(group, target, points, found.stage, found.sparsities[0], plain)

    def _row(self, group: str, target: float, points: set[Point], stage: Stage, setting: float, plain: Measured
             ) -> _Scored:
        unread = Unread(self.model)
        measured = measure(self.model, [stage], self.scored, points=points, looks=unread.looks,
                           sessions=self.sessions)
        placement, acts, speed = place([stage], self.model), stage.points(self.model), self._race.of([stage])
        captured = {point: rows for point, rows in self.captured.items() if point in points or point.site == Site.GATE}
        return _Scored(Row(
            group, stage.method, target, setting, measured.zeros, layer_error(stage, self.model, captured),
            measured.perplexity, float(np.exp((measured.nll - plain.nll) / len(measured.losses))),
            placement.where(acts), placement.cuts(acts), unread.bytes_a_token, matrix_bytes(self.model), *speed),
            measured)


def _pair(wina: _Scored, teal: _Scored) -> Pair:
    difference = paired_difference(wina.measured.losses, teal.measured.losses)
    assert wina.row.target is not None
    return Pair(wina.row.group, wina.row.target, wina.row.zeros, teal.row.zeros, difference.mean, difference.error)


def _shown(methods: Sequence[tuple[str, Mapping[str, str]]], what: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    yield from tqdm(methods, what, file=sys.stderr, disable=not sys.stderr.isatty())
