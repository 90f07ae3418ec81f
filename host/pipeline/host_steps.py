"""What the host computes at a stop: the golden model's steps around the stages that act there.

All of it is integer arithmetic and the golden model's scalars, so a pass that stops has the bits of one that doesn't.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from host.compiler.cuts import Cut
from host.compiler.turns import Step
from host.pipeline.normalisation.rmsnorm import RMSNorm
from host.pipeline.sequence_stage import SequenceRows
from host.pipeline.site import NORM_GAINS, Site
from models.checkpoint import Model
from models.config import ACTIVATIONS, NORMS
from models.errors import ModelError
from models.golden.activations import Activation, activated_product
from models.golden.gated import gated_product
from models.golden.head import HEAD_LEVELS
from models.golden.model import INPUT_BITS, PRODUCT_BITS, SUM_BITS, RowNorm, RowStage, TapPoint
from models.golden.norm_quant import quantise
from models.golden.rounding import saturate
from models.golden.scalar import Scalar, constant, div, from_word, mul
from models.golden.tap import Tap, tap

__all__ = ["Acting", "Begin", "Given", "HostSteps", "Look", "Returned", "Span", "spans_of"]

Look = Callable[[TapPoint, np.ndarray, Scalar], None]
"""Sees the values at a point as the stages leave them."""

Begin = Callable[[Sequence[SequenceRows]], None]
"""Told of the rows of a pass before it begins."""

_RMS = RMSNorm()


class Acting(NamedTuple):
    """What the host lets act on rows, by point: stages in their order, a norm in the place of RMSNorm, at "gate" an
    activation function in the place of the model's.

    begins: of stages that are told of a pass' rows before it.
    """

    stages: Mapping[TapPoint, Sequence[RowStage]]
    norms: Mapping[TapPoint, RowNorm]
    activations: Mapping[TapPoint, Activation] = MappingProxyType({})
    begins: Sequence[Begin] = ()

    @property
    def points(self) -> frozenset[TapPoint]:
        """The points at which passes have to stop for it."""
        return frozenset({*self.stages, *self.norms, *self.activations})


class Span(NamedTuple):
    """Rows of a pass, and what acts on them alone."""

    rows: slice
    acting: Acting


def spans_of(parts: Sequence[tuple[int, int]], own: Mapping[int, Acting]) -> list[Span]:
    """The spans of a pass over (sequence, rows) each, where `own` says what acts on a sequence alone."""
    found, start = [], 0
    for sequence, rows in parts:
        if sequence in own:
            found.append(Span(slice(start, start + rows), own[sequence]))
        start += rows
    return found


class Given(NamedTuple):
    """What a stop brings: int64 [rows, channels] (the gate's sums, where `up` has up's) and the value of their unit.

    unit: of the residual's or attention's values; of the input of which sums are products.
    """

    rows: np.ndarray
    unit: Scalar
    up: np.ndarray | None = None


class Returned(NamedTuple):
    """What goes back: residual rows; inputs within ±127 with the value of their unit; the head's within ±32767."""

    residual: np.ndarray | None = None
    inputs: np.ndarray | None = None
    head_inputs: np.ndarray | None = None
    steps: Scalar | None = None


class HostSteps:
    """What acts at points on all rows; `looks` are called with what comes by.

    taps: what the fabric does at points where the host has none of it to do; they are the host's at a stop that takes
    their step over. points: those at which passes have to stop. begins: of stages, told of each pass (`Acting`).
    """

    def __init__(self, model: Model, *, stages: Mapping[TapPoint, Sequence[RowStage]] | None = None,
                 norms: Mapping[TapPoint, RowNorm] | None = None,
                 activations: Mapping[TapPoint, Activation] | None = None, taps: Mapping[TapPoint, Tap] | None = None,
                 looks: Mapping[TapPoint, Sequence[Look]] | None = None, begins: Sequence[Begin] = ()):
        self._model, self._config = model, model.config
        self.acting = Acting(dict(stages or {}), dict(norms or {}), dict(activations or {}), begins)
        self._looks = dict(looks or {})
        self._taps = dict(taps or {})
        self._spans: tuple[Span, ...] = ()
        self.points = self.acting.points.union(self._looks)

    def check(self, layers: range) -> None:
        """`ModelError` where these layers of the model need a stage that is not among these steps."""
        needs = [(self._config.norm, NORMS[:1], "norm", self.acting.norms, NORM_GAINS),
                 (self._config.activation, ACTIVATIONS, "activation function", self.acting.activations, (Site.GATE,))]
        for trained, in_fabric, what, there, sites in needs:
            points = [TapPoint(layer, site) for site in sites for layer in layers]
            missing = [point for point in points if point not in there]
            if trained not in in_fabric and missing:
                raise ModelError(f"{self._config.name} was trained with {trained}, and no {what} acts at layer "
                                 f"{missing[0].layer}, {missing[0].site}: give its stage (docs/normalisation.md)")

    def set_taps(self, taps: Mapping[TapPoint, Tap]) -> None:
        """Other taps from now on."""
        self._taps = dict(taps)

    def beside(self, spans: Sequence[Span]) -> HostSteps:
        """The same steps, behind which more acts on some rows: their stages come last, their norms instead."""
        steps = copy(self)
        steps._spans = tuple(spans)
        return steps

    def take(self, stop: Cut, given: Given, *, chooses: bool = False) -> Returned:
        """A stop's values to what goes on. chooses: whether the head's input is wanted for a shortlist's choice."""
        layer, rows = stop.layer, given.rows
        if stop.step == Step.OUT:
            return self._input(TapPoint(layer, "o"), "attn_sub", rows, given.unit)
        if stop.step == Step.DOWN:
            product, unit = self._product(layer, given)
            return self._input(TapPoint(layer, "down"), "ffn_sub", product, unit)
        residual = None
        if stop.step != Step.GATE_UP and (stop.residual or not stop.inputs):
            before = layer if stop.step == Step.END else layer - 1
            rows = residual = self._staged(TapPoint(before, "residual"), rows, given.unit, SUM_BITS, tapped=False)
        if stop.inputs:
            return self._normed(stop, rows, given.unit, chooses)._replace(residual=residual)
        return Returned(residual)

    def _normed(self, stop: Cut, rows: np.ndarray, unit: Scalar, chooses: bool) -> Returned:
        """The residual's norm, or the one that stands in its place; then the input."""
        if stop.step == Step.END:
            return self._head(rows, unit, chooses)
        norm, site = {Step.QKV: (Site.ATTENTION_NORM, Site.QKV), Step.GATE_UP: (Site.FFN_NORM, Site.GATE_UP)}[stop.step]
        point = TapPoint(stop.layer, norm)
        rows = self._staged(point, rows, unit, SUM_BITS, tapped=False)
        return self._input(TapPoint(stop.layer, site), NORM_GAINS[norm], rows, unit, point)

    def _input(self, point: TapPoint, gain: str, rows: np.ndarray, unit: Scalar, norm: TapPoint | None = None
               ) -> Returned:
        """A linear layer's input at a point: the norm (of a point where others may stand), what acts there, int8."""
        gains = self._model.layers[point.layer].gains.get(gain)
        chosen = self.acting.norms.get(norm, partial(_RMS.normalise, point, gains=gains, model=self._model))
        y, y_unit = chosen(rows, unit)
        for span, acting in self._spans:
            if norm in acting.norms:
                y, y_unit = _with_rows(y, y_unit, span, *acting.norms[norm](rows[span], unit[span]))
        q, steps = quantise(self._staged(point, y, y_unit, INPUT_BITS), y_unit)
        return Returned(inputs=q, steps=steps)

    def _head(self, rows: np.ndarray, unit: Scalar, chooses: bool) -> Returned:
        point = TapPoint(self._config.layers, "head")
        y, unit = _RMS.normalise(point, rows, unit, self._model.final_gains, self._model)
        y = self._staged(point, y, unit, INPUT_BITS)
        choice = quantise(y, unit)[0] if chooses else None
        q, steps = quantise(y, unit, levels=HEAD_LEVELS)
        return Returned(inputs=choice, head_inputs=q, steps=steps)

    def _product(self, layer: int, given: Given) -> tuple[np.ndarray, Scalar]:
        """The gated product of stored sums, with what acts on the gate and on the product."""
        linears = self._model.layers[layer].linears
        gate_unit, up_unit = (mul(given.unit, from_word(linears[name].unit)) for name in ("gate", "up"))
        gate = self._staged(TapPoint(layer, "gate"), given.rows, gate_unit, SUM_BITS, tapped=False)
        point = TapPoint(layer, "gate")
        if (activation := self.acting.activations.get(point)) is not None:
            product, unit = activated_product(gate, gate_unit, given.up, up_unit, activation)
        else:
            product, unit = gated_product(gate, gate_unit, given.up, up_unit, self._config.activation)
        for rows, acting in self._spans:
            if point in acting.activations:
                own = activated_product(gate[rows], gate_unit[rows], given.up[rows], up_unit[rows],
                                        acting.activations[point])
                product, unit = _with_rows(product, unit, rows, *own)
        return self._staged(TapPoint(layer, "product"), product, unit, PRODUCT_BITS, tapped=False), unit

    def _staged(self, point: TapPoint, rows: np.ndarray, unit: Scalar, bits: int, *, tapped: bool = True) -> np.ndarray:
        """The values at a point after its stages, or its tap. tapped: whether the point's tap has not acted yet."""
        stages = self.acting.stages.get(point, ())
        for stage in stages:
            rows = saturate(stage(rows, unit), bits)
        if tapped and not stages and point in self._taps:
            rows = tap(rows, self._taps[point], div(constant(1), unit))
        for span, acting in self._spans:
            own = acting.stages.get(point, ())
            rows = rows.copy() if own else rows
            for stage in own:
                rows[span] = saturate(stage(rows[span], unit[span]), bits)
        for look in self._looks.get(point, ()):
            look(point, rows, unit)
        return rows


def _with_rows(values: np.ndarray, unit: Scalar, rows: slice, own: np.ndarray, own_unit: Scalar
               ) -> tuple[np.ndarray, Scalar]:
    """Values and units of which some rows are replaced."""
    values, m, e = values.copy(), unit.m.copy(), unit.e.copy()
    values[rows], m[rows], e[rows] = own, own_unit.m, own_unit.e
    return values, Scalar(m, e)
