"""A mask's one setting from what it shall cost: bisected until CETT, zeros or perplexity are as wanted.

It works for every method that is fitted with a share of zeros, and takes the exact emulator's measure each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from host.pipeline.measuring import Sessions, measure
from host.pipeline.site import Point
from host.pipeline.sparsity.cett import capture_neurons, cett
from host.pipeline.stage import Stage
from models.checkpoint import Model

__all__ = ["Calibrated", "Fits", "to_cett", "to_perplexity", "to_zeros"]

_LEAST = 2.0**-12  # of a share of zeros: what bisection begins with and ends at
_STEPS = 12
_FINER = 12  # steps more, from layer to layer


class Fits(Protocol):
    """A stage for a share of zeros in each layer, at least `_LEAST`, below `most`."""

    most: float

    def __call__(self, sparsities: Sequence[float]) -> Stage: ...


class Calibrated(NamedTuple):
    """sparsities: the setting, for each layer. found: what was measured with it, of what was wanted."""

    stage: Stage
    sparsities: list[float]
    found: list[float]


def to_cett(fits: Fits, model: Model, ids: Sequence[int], target: float) -> Calibrated:
    """For each layer the largest setting at which the CETT of its mask is at most `target`."""
    captured, layers = capture_neurons(model, ids), model.config.layers
    low, high = np.full(layers, _LEAST), np.full(layers, fits.most)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        good = cett(fits(middle.tolist()), model, captured) <= target
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    stage = fits(low.tolist())
    return Calibrated(stage, low.tolist(), cett(stage, model, captured).tolist())


def to_perplexity(fits: Fits, model: Model, ids: Sequence[int], percent: float, *, tolerance: float = 0.1,
                  sessions: Sessions | None = None) -> Calibrated:
    """A setting, the same in all layers, at which perplexity is `percent` above the plain model's, give or take
    `tolerance`.

    Perplexity on few tokens jumps between neighbouring settings, since one more zero moves all roundings behind it, and
    a channel more goes in all layers at once. Where no setting in between is left, the first layers have the higher of
    two neighbours, the others the lower, or the last have it. Where that does not reach it either, it is the nearest
    that was seen. `found` is the percentage reached.
    """
    sessions = sessions or Sessions(model)
    plain = measure(model, [], ids, points=(), sessions=sessions).nll

    def above(stage: Stage) -> float:
        nll = measure(model, [stage], ids, points=(), sessions=sessions).nll
        return 100 * float(np.expm1((nll - plain) / (len(ids) - 1)))

    layers = model.config.layers
    search = _Search(fits, above, percent - tolerance, percent + tolerance, lambda found: abs(found - percent))
    low, high = search.bisect(lambda setting: [setting] * layers, _Edge(_LEAST, 0.0), _Edge(fits.most), curve=_root)
    lower, higher = low.at, min(high.at, fits.most - _LEAST)  # the upper end itself is no setting

    def first_layers(count: float) -> list[float]:
        return [lower + min(max(count - index, 0.0), 1.0) * (higher - lower) for index in range(layers)]

    for layer_by_layer in (first_layers, lambda count: first_layers(count)[::-1]):
        if not search.reached:
            search.bisect(layer_by_layer, _Edge(0.0, low.found), _Edge(float(layers), high.found), steps=_FINER)
    return search.best or search.tried([_LEAST] * layers)


def to_zeros(fits: Fits, model: Model, ids: Sequence[int], target: float, points: Collection[Point], *,
             tolerance: float = 0.005, first: float | None = None, sessions: Sessions | None = None) -> Calibrated:
    """A setting, the same in all layers, at which a share `target` of the inputs at `points` is zero, or up to
    `tolerance` less.

    Where the plain model has more zeros than that, it is the least setting. first: where to look first, by default at
    the target.
    """
    sessions, layers = sessions or Sessions(model), model.config.layers
    search = _Search(fits, lambda stage: measure(model, [stage], ids, points=points, sessions=sessions).zeros,
                     target - tolerance, target, lambda found: target - found if found <= target else math.inf)
    search.bisect(lambda setting: [setting] * layers, _Edge(_LEAST), _Edge(fits.most),
                  first=target if first is None else first)
    return search.best or search.tried([_LEAST] * layers)


def _root(value: float) -> float:
    """Perplexity rises about as the square of a small share of zeros does."""
    return math.copysign(math.sqrt(abs(value)), value)


class _Edge(NamedTuple):
    """An end of what is bisected, and what was measured there, if that is known."""

    at: float
    found: float | None = None


@dataclass
class _Search:
    """Looks for a measure from `least` to `most`. far: how far what was measured is from what is wanted; infinity for
    what must not be taken. best: the nearest so far. reached: whether one lay between."""

    fits: Fits
    measured: Callable[[Stage], float]
    least: float
    most: float
    far: Callable[[float], float]
    best: Calibrated | None = field(default=None, init=False)
    reached: bool = field(default=False, init=False)

    def bisect(self, settings: Callable[[float], list[float]], low: _Edge, high: _Edge, *, steps: int = _STEPS,
               first: float | None = None, curve: Callable[[float], float] = float) -> tuple[_Edge, _Edge]:
        """Try settings between two edges, nearer and nearer to the middle of what is wanted, and say between which
        the measure passes it.

        settings: of the layers. first: where to look first, where the measure rises about as the setting does.
        curve: what of the measure rises so.
        """
        aim, guess = (self.least + self.most) / 2, (low.at + high.at) / 2 if first is None else first
        for _ in range(steps):
            if low.found is not None and high.found is not None:  # nearer to that whose measure is nearer
                part = (curve(aim) - curve(low.found)) / (curve(high.found) - curve(low.found))
                guess = low.at + min(max(part, 0.1), 0.9) * (high.at - low.at)
            margin = (high.at - low.at) / 256
            at = min(max(guess, low.at + margin), high.at - margin)
            found = self.tried(settings(at)).found[0]
            if self.reached:
                break
            low, high = (_Edge(at, found), high) if found < self.least else (low, _Edge(at, found))
            guess = (low.at + high.at) / 2 if first is None else at + 1.25 * (aim - found)
            first = None
        return low, high

    def tried(self, settings: list[float]) -> Calibrated:
        """Measure settings of the layers."""
        stage = self.fits(settings)
        found = Calibrated(stage, settings, [self.measured(stage)])
        if self.far(found.found[0]) < (math.inf if self.best is None else self.far(self.best.found[0])):
            self.best = found
        self.reached = self.reached or self.least <= found.found[0] <= self.most
        return found
